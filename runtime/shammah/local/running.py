"""The answers that are written at the same time, and the cells that they share; for one thread."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shammah.errors import BadGrammar, BadModel, EngineError, ShammahError
from shammah.generation import Finish, never
from shammah.local.applied import Applied
from shammah.local.cells import Cells, Part
from shammah.local.native import BATCH_TOKENS
from shammah.local.seating import WORTH_WAITING, Place, Seat, choose_seat, share_out, shared
from shammah.local.waiting import Adapters, Pace, Request
from shammah.local.weights import Weights
from shammah.window import size_for


@dataclass(eq=False, slots=True)
class Answer:
    """A request that has a row.

    Attributes:
        ahead: Tokens that are to be evaluated next.
        is_reading: They are of the prompt.
        leader: Another that reads the same beginning now, and is waited for.
        common: So many tokens of it.
    """

    request: Request
    row: int
    ahead: list[int]
    is_reading: bool = True
    leader: "Answer | None" = None
    common: int = 0
    began: float = field(default_factory=time.monotonic)


class Running:
    """The answers under way, the adapters they are written with, and the cells that they share."""

    def __init__(self, weights: Weights, rows: int, size: int, most: int, threads: int) -> None:
        """Open a context that holds `size` tokens, and may grow up to `most`.

        Raises:
            BadModel: There is no memory for it.
        """
        self._weights = weights
        self.rows = rows
        self.most, self.threads = most, threads
        self.pace = Pace()
        self._applied = Applied(weights)
        self.cells = Cells(weights, size, rows, threads)
        self._answers: list[Answer] = []
        self._last_used = [0] * rows
        self._clock = 0

    def close(self) -> None:
        """Give back contexts and adapters."""
        self.cells.close()
        self._applied.close()

    def __len__(self) -> int:
        return len(self._answers)

    def requests(self) -> Iterator[Request]:
        """Those that have a row."""
        return (answer.request for answer in list(self._answers))

    def has_free_row(self) -> bool:
        """Whether another answer would find a row."""
        return len(self._answers) < self.rows

    def reach(self) -> int:
        """Tokens that all answers may come to, what they share counted for each."""
        return sum(answer.request.reach for answer in self._answers)

    def warm_up(self) -> None:
        """Evaluate a token, so that the weights are in memory.

        Raises:
            BadModel: The model cannot run.
        """
        logits = self.cells.decode([Part(0, (0,), has_logits=True)])
        if logits is None or not np.isfinite(logits[0]).all():
            raise BadModel("its logits are not finite")
        self.cells.clear()

    def turn_to(self, adapters: Adapters) -> None:
        """Apply other adapters; nobody runs.

        Raises:
            AdapterUnreadable: llama.cpp refuses one; what was applied stays applied.
        """
        assert not self._answers, "adapters are swapped between answers"
        if self._applied.swap(adapters, self.cells.native):
            self.cells.clear()

    def use_threads(self, threads: int) -> None:
        """Decode with so many threads from now on."""
        if threads != self.threads:
            self.threads = threads
            self.cells.set_threads(threads)

    def seat(self, request: Request) -> bool:
        """Give a request a row, and let it begin; False where there is none, or not enough cells, for now."""
        seat = choose_seat(self._places(), request.tokens)
        if seat is None or not self._has_cells(request, seat):
            return False
        if seat.row == seat.source:
            self.cells.cut(seat.row, seat.kept)
        else:
            self.cells.share(seat.source, seat.row, seat.kept)
        answer = Answer(request, seat.row, list(request.tokens[seat.kept :]))
        self._answers.append(answer)
        self._drop_idle_rows()
        self._follow_another(answer)
        return True

    def grow(self, needed: int) -> None:
        """Make room for so many tokens in all; nobody runs, and what the rows held is gone.

        Raises:
            BadModel: There is no memory for it; all stays as it was.
        """
        assert not self._answers, "a context grows between answers"
        size, before = min(self.most, max(2 * self.cells.size, size_for(needed))), self.cells.size
        self.cells.close()
        try:
            self.cells = Cells(self._weights, size, self.rows, self.threads)
        except BadModel:
            self.cells, self.most = Cells(self._weights, before, self.rows, self.threads), before
            raise
        finally:
            self._applied.attach(self.cells.native)

    def step(self) -> None:
        """Evaluate one token of each answer that is written, and a share of the prompts that are read.

        Raises:
            BadModel: llama.cpp cannot do it.
        """
        self._catch_up()
        ready = [answer for answer in self._answers if answer.leader is None]
        given = share_out([(len(answer.ahead), answer.is_reading) for answer in ready], BATCH_TOKENS)
        parts = [
            Part(answer.row, tuple(answer.ahead[:count]), has_logits=count == len(answer.ahead))
            for answer, count in zip(ready, given, strict=True)
            if count
        ]
        is_reading = all(answer.is_reading for answer in ready)
        logits = self.cells.decode(parts, self._is_left_by_all if is_reading else never)
        if logits is None:
            return
        rest = iter(logits)
        for answer, count in zip(ready, given, strict=True):
            del answer.ahead[:count]
            if not answer.ahead:
                self._write(answer, next(rest))

    def release(self, request: Request, finish: Finish) -> None:
        """End an answer where it stands."""
        answer = next(answer for answer in self._answers if answer.request is request)
        self._end(answer, finish)

    def fail(self, words: str, kind: type[ShammahError] = EngineError) -> None:
        """End all answers with an error, and empty all rows."""
        answers, self._answers = self._answers, []
        self.cells.clear()
        for answer in answers:
            answer.request.hear(kind(words))

    def _write(self, answer: Answer, logits: NDArray[np.float32]) -> None:
        writing = answer.request.writing
        try:
            chunk = writing.take(logits)
        except BadGrammar as error:
            self._leave_row(answer)
            answer.request.hear(error)
            return
        answer.is_reading = False
        answer.ahead.append(writing.token)
        if chunk is not None:
            answer.request.hear(chunk)
        if writing.finish is not None:
            self._end(answer, writing.finish)

    def _end(self, answer: Answer, finish: Finish) -> None:
        self._leave_row(answer)
        request = answer.request
        self.pace.note(time.monotonic() - answer.began)
        request.hear(request.writing.end(len(request.tokens), self._applied.names, finish))

    def _leave_row(self, answer: Answer) -> None:
        """Free a row; what it holds stays for whoever begins in the same way."""
        self._answers.remove(answer)
        self._last_used[answer.row] = self._clock = self._clock + 1
        for follower in self._answers:
            if follower.leader is answer:
                self._take_over(follower, answer.row, min(follower.common, len(self.cells.tokens(answer.row))))

    def _places(self) -> list[Place]:
        taken = {answer.row for answer in self._answers}
        return [Place(row, self.cells.tokens(row), row not in taken, used) for row, used in enumerate(self._last_used)]

    def _has_cells(self, request: Request, seat: Seat) -> bool:
        """Whether there is room until the end of all answers, without what idle rows hold."""
        spans = [(answer.row, answer.request.reach) for answer in self._answers]
        held = self.cells.used([*spans, (seat.source, seat.kept)])
        return held + self._to_come() + request.reach - seat.kept <= self.cells.size

    def _to_come(self) -> int:
        """Cells that the answers under way may still take."""
        return sum(answer.request.reach - len(self.cells.tokens(answer.row)) for answer in self._answers)

    def _drop_idle_rows(self) -> None:
        """Empty idle rows, those left alone longest first, until there is room for all that runs."""
        idle = sorted((place for place in self._places() if place.is_free), key=lambda place: place.last_used)
        everything = [(row, len(self.cells.tokens(row))) for row in range(self.rows)]
        for place in idle:
            if self.cells.used(everything) + self._to_come() <= self.cells.size:
                return
            self.cells.cut(place.row, 0)

    def _follow_another(self, answer: Answer) -> None:
        """Wait for a prompt that is being read, where it has much in common with this one."""
        prompt = answer.request.tokens
        for other in self._answers:
            common = min(shared(other.request.tokens, prompt), len(prompt) - 1)
            if other is not answer and other.is_reading and common > answer.common:
                answer.leader, answer.common = other, common
        if answer.common < len(self.cells.tokens(answer.row)) + WORTH_WAITING:
            answer.leader = None

    def _catch_up(self) -> None:
        """Give those who wait for another's prompt what they wait for."""
        for answer in self._answers:
            if answer.leader is not None and len(self.cells.tokens(answer.leader.row)) >= answer.common:
                self._take_over(answer, answer.leader.row, answer.common)

    def _take_over(self, answer: Answer, source: int, count: int) -> None:
        answer.leader = None
        if count > len(self.cells.tokens(answer.row)):
            self.cells.share(source, answer.row, count)
            answer.ahead = list(answer.request.tokens[count:])

    def _is_left_by_all(self) -> bool:
        return all(answer.request.is_left for answer in self._answers)
