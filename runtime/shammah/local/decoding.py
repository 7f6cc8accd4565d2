"""The thread that decodes: who begins, and one token of each answer in every step."""

from collections.abc import Callable
from concurrent.futures import Future

from shammah.errors import BadModel, EngineDied, ShammahError
from shammah.generation import Finish
from shammah.local.running import Running
from shammah.local.waiting import Queue, Request, Turn, turn_of, who_is_next
from shammah_convert.job import AdapterFile


class Decoding:
    """What one thread does, as long as the model is open."""

    def __init__(
        self,
        queue: Queue,
        running: Running,
        free_threads: Callable[[], int],
        check: Callable[[AdapterFile], object],
        after_step: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._running = running
        self._free_threads = free_threads
        self._check = check
        self._after_step = after_step
        self._turn = Turn()
        self._wanted = 0

    def work(self, opened: "Future[None]") -> None:
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
            while self._queue.wait(lambda: bool(self._running)):
                self._let_go()
                self._admit()
                self._step()
                self._after_step()
        finally:
            self._end_all()
            self._after_step()

    def _let_go(self) -> None:
        """End what nobody waits for."""
        for request in self._running.requests():
            if request.is_left:
                self._running.release(request, Finish.INTERRUPTED)
        for request in self._queue.now():
            if request.is_left:
                self._queue.remove(request)
                request.hear(request.writing.end(len(request.tokens), (), Finish.INTERRUPTED))

    def _admit(self) -> None:
        """Let requests begin, as many as may and can."""
        while (request := who_is_next(self._queue.now(), self._turn, is_idle=not self._running)) is not None:
            try:
                if not self._begin(request):
                    return
            except ShammahError as error:
                self._queue.remove(request)
                request.hear(error)

    def _begin(self, request: Request) -> bool:
        """Give a request its adapters and a row; False where it has to wait."""
        if not self._running:
            if request.adapters != self._turn.adapters:
                for file in request.adapters:
                    self._check(file)
                self._running.turn_to(request.adapters)
            self._turn = turn_of(request, self._queue.now())
            self._make_room(request)
        if not self._running.seat(request):
            if self._running.has_free_row():
                self._wanted = max(self._wanted, self._running.reach() + request.reach)
            return False
        self._queue.remove(request)
        return True

    def _make_room(self, request: Request) -> None:
        """Let the context grow where it was too small for all; nobody runs.

        Raises:
            BadModel: There is no memory for what this request needs.
        """
        same = [other.reach for other in self._queue.now() if other.adapters == request.adapters]
        needed = max(self._wanted, sum(same[: self._running.rows]))
        self._wanted = 0
        if self._running.cells.size < min(needed, self._running.most):
            try:
                self._running.grow(needed)
            except BadModel:
                if request.reach > self._running.cells.size:
                    raise
        if request.reach > self._running.cells.size:  # it was asked for when more seemed possible
            raise BadModel(f"there is no room for a context of {request.reach:,} tokens")

    def _step(self) -> None:
        if not self._running:
            return
        self._running.use_threads(self._free_threads())
        try:
            self._running.step()
        except BadModel as error:
            self._running.fail(str(error))

    def _end_all(self) -> None:
        """Leave nobody waiting for a thread that is over."""
        self._queue.close()
        for request in self._queue.now():
            self._queue.remove(request)
            request.hear(EngineDied("the model was closed"))
        self._running.fail("the model was closed", EngineDied)
