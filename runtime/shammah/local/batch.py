"""A GGUF Qwen that answers many at once: one thread decodes one token of each answer in every step."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from shammah import window
from shammah.errors import BadModel, EngineBusy, EngineDied, ShammahError
from shammah.generation import Chunk, Facts, Finish, Sampling, Stop, never, without_thinking
from shammah.hearing import Heard, chunks_of
from shammah.local.running import Running
from shammah.local.waiting import Adapters, Request, Turn, turn_of, who_is_next
from shammah.local.weights import Weights
from shammah.local.writing import Writing
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile

FIRST_SIZE = 8192
"""Tokens of a context at first; it grows where they are too few."""

Hear = Callable[[Chunk | ShammahError], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is done at once.

    Attributes:
        rows: Answers that are written at the same time.
        most_tokens: That the context may grow to: of all answers together, what they begin with in common counted once.
        most_waiting: Requests that wait for a row; more are refused.
    """

    rows: int = 8
    most_tokens: int = 16384
    most_waiting: int = 64


class BatchedModel:
    """A GGUF Qwen that answers many at once; any thread may ask it."""

    def __init__(
        self,
        path: Path,
        threads: Callable[[], int],
        gpu_layers: int | None = None,
        limits: Limits = Limits(),
        check: Callable[[AdapterFile], object] = lambda _: None,
    ) -> None:
        """Map the file, and evaluate a token: what cannot run shows now, and the weights are in memory.

        Args:
            path: A GGUF file.
            threads: Tells how many threads are free; asked again and again.
            gpu_layers: Layers to offload; None offloads all where llama.cpp can, and none where that fails.
            limits: How much is done at once.
            check: Raises an AdapterError where a file is not to be applied.

        Raises:
            ModelMissing: There is no such file.
            BadModel: llama.cpp cannot load it, or it is no Qwen2, Qwen2.5 or Qwen3.
        """
        self.limits = limits
        self.weights = Weights(path, gpu_layers)
        self.after_step: Callable[[], None] = lambda: None
        self._free_threads = threads
        self._check = check
        size = min(FIRST_SIZE, window.size_for(limits.most_tokens))
        most = window.size_for(limits.most_tokens)
        self._running = Running(self.weights, limits.rows, size, most, threads())
        self._numbers = itertools.count()
        self._waiting: list[Request] = []
        self._turn = Turn()
        self._wanted = 0
        self._news = threading.Condition()
        self._is_closed = False
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, args=(opened,), name="decoding", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all answers, and give back all native memory."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()
        self._thread.join()
        self._running.close()
        self.weights.close()

    def __enter__(self) -> "BatchedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def facts(self) -> Facts:
        """What the file says of itself."""
        return self.weights.facts

    @property
    def threads(self) -> int:
        """With which it decodes right now."""
        return self._running.threads

    @property
    def gpu_layers(self) -> int:
        """Layers that are offloaded."""
        return self.weights.gpu_layers

    @property
    def context_tokens(self) -> int:
        """Of the context, as it is now."""
        return self._running.cells.size

    @property
    def work(self) -> tuple[int, int]:
        """Steps and tokens that were decoded with the context that is open."""
        return self._running.cells.steps, self._running.cells.evaluated

    def limit(self, limit_tokens: int | None) -> int:
        """The longest conversation that a request may become."""
        return min(self.weights.limit(limit_tokens), self._running.most)

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Turn a conversation into token ids; text is never read as a control token."""
        return self.weights.prompt_tokens(messages)

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer."""
        return window.fits(prompt_tokens, max_tokens, self.limit(limit_tokens))

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Stop = never,
        limit_tokens: int | None = None,
        adapters: Adapters = (),
    ) -> Iterator[Chunk]:
        """Complete a conversation token by token, with adapters; thinking is left out.

        Raises:
            ContextTooLong: The prompt leaves no room for an answer.
            BadGrammar: The answer's grammar cannot be used.
            EngineBusy: As many wait already as may.
        """
        heard: Heard = SimpleQueue()
        request = self.submit(messages, sampling, heard.put, adapters, limit_tokens)
        return without_thinking(chunks_of(heard, lambda: self.leave(request), stop))

    def submit(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        hear: Hear,
        adapters: Adapters = (),
        limit_tokens: int | None = None,
    ) -> Request:
        """Ask for an answer: an empty chunk is heard at once, all others in the thread that decodes.

        Raises:
            ContextTooLong: The prompt leaves no room for an answer.
            BadGrammar: The answer's grammar cannot be used.
            EngineBusy: As many wait already as may.
        """
        tokens = self.prompt_tokens(messages)
        max_tokens = window.answer_tokens(len(tokens), sampling.max_tokens, self.limit(limit_tokens))
        writing = Writing(self.weights, sampling, max_tokens)
        with self._news:
            self._check_queue()
            request = Request(next(self._numbers), tokens, len(tokens) + max_tokens, adapters, writing, hear)
            hear(Chunk())
            self._waiting.append(request)
            self._news.notify_all()
        return request

    def leave(self, request: Request) -> None:
        """Nobody waits for an answer any more: it ends with the next step."""
        request.is_left = True

    def _check_queue(self) -> None:
        if self._is_closed:
            raise EngineDied("the model was closed")
        if len(self._waiting) >= self.limits.most_waiting:
            seconds = self._running.pace.retry_after_seconds(len(self._waiting), self.limits.rows)
            raise EngineBusy(f"{len(self._waiting)} requests wait already", retry_after_seconds=seconds)

    def _work(self, opened: "Future[None]") -> None:
        """The path of all answers, in the thread that decodes.

        It is the only one that ever does: OpenMP gives each thread that computes a team of its own, and where all
        teams together have more threads than the machine has cores, every barrier puts them to sleep: 10% to 20%.
        """
        try:
            self._running.warm_up()
        except Exception as error:  # it is the constructor's
            opened.set_exception(error)
            return
        opened.set_result(None)
        try:
            while self._wait():
                self._let_go()
                self._admit()
                self._step()
                self.after_step()
        finally:
            self._end_all()
            self.after_step()

    def _wait(self) -> bool:
        """Wait for work; False once the model is closed."""
        with self._news:
            self._news.wait_for(lambda: self._is_closed or self._waiting or self._running)
            return not self._is_closed

    def _let_go(self) -> None:
        """End what nobody waits for."""
        for request in self._running.requests():
            if request.is_left:
                self._running.release(request, Finish.INTERRUPTED)
        for request in self._queued():
            if request.is_left:
                self._remove(request)
                request.hear(request.writing.end(len(request.tokens), (), Finish.INTERRUPTED))

    def _admit(self) -> None:
        """Let requests begin, as many as may and can."""
        while (request := who_is_next(self._queued(), self._turn, is_idle=not self._running)) is not None:
            try:
                if not self._begin(request):
                    return
            except ShammahError as error:
                self._remove(request)
                request.hear(error)

    def _begin(self, request: Request) -> bool:
        """Give a request its adapters and a row; False where it has to wait."""
        if not self._running:
            if request.adapters != self._turn.adapters:
                for file in request.adapters:
                    self._check(file)
                self._running.turn_to(request.adapters)
            self._turn = turn_of(request, self._queued())
            self._make_room(request)
        if not self._running.seat(request):
            if self._running.has_free_row():
                self._wanted = max(self._wanted, self._running.reach() + request.reach)
            return False
        self._remove(request)
        return True

    def _make_room(self, request: Request) -> None:
        """Let the context grow where it was too small for all; nobody runs.

        Raises:
            BadModel: There is no memory for what this request needs.
        """
        same = [other.reach for other in self._queued() if other.adapters == request.adapters]
        needed = max(self._wanted, sum(same[: self.limits.rows]))
        self._wanted = 0
        if self.context_tokens < min(needed, self._running.most):
            try:
                self._running.grow(needed)
            except BadModel:
                if request.reach > self.context_tokens:
                    raise
        if request.reach > self.context_tokens:  # it was asked for when more seemed possible
            raise BadModel(f"there is no room for a context of {request.reach:,} tokens")

    def _step(self) -> None:
        if not self._running:
            return
        self._running.use_threads(self._free_threads())
        try:
            self._running.step()
        except BadModel as error:
            self._running.fail(str(error))

    def _queued(self) -> list[Request]:
        with self._news:
            return list(self._waiting)

    def _remove(self, request: Request) -> None:
        with self._news:
            self._waiting.remove(request)

    def _end_all(self) -> None:
        """Leave nobody waiting for a thread that is over."""
        with self._news:
            self._is_closed = True
        for request in self._queued():
            self._remove(request)
            request.hear(EngineDied("the model was closed"))
        self._running.fail("the model was closed", EngineDied)
