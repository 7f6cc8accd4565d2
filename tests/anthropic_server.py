"""A real HTTP server that speaks Anthropic's wire format, well or badly, as a script tells it.

    with AnthropicServer([Status(529, "overloaded_error"), Answer("hi")]) as server:
        ...  # server.url, server.requests

By hand: `python -m tests.anthropic_server "the answer"` prints its address and serves until stdin ends.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from tests.anthropic_wire import Handler, Wire, refusal
from tests.behaviours import Answer, Behaviour, Request
from tests.joining_server import TICK_SECONDS, Server


class AnthropicServer:
    """Serves on a free loopback port between `__enter__` and `__exit__`.

    Args:
        script: One behaviour a request; the last one repeats.
        answer_with: Chooses the behaviour by the request's body, instead of a script.
        wire: Whose format is spoken, Anthropic's by default.
    """

    def __init__(
        self,
        script: Sequence[Behaviour] = (),
        answer_with: Callable[[dict[str, Any]], Behaviour] | None = None,
        wire: Wire | None = None,
    ) -> None:
        self._wire = wire or Wire(Handler, refusal)
        assert bool(script) != bool(answer_with), "a script or a chooser, one of the two"
        self._script = list(script)
        self._answer_with = answer_with
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._server = Server(self._choose, self._wire.handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(TICK_SECONDS,), name="server")

    @property
    def url(self) -> str:
        """The base URL for the client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in the order of arrival."""
        with self._lock:
            return list(self._requests)

    @property
    def open_connections(self) -> int:
        """How many clients still hold a connection."""
        return self._server.open_connections

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._thread.join()
        assert not self._server.failures, self._server.failures

    def _choose(self, request: Request) -> Behaviour:
        with self._lock:
            self._requests.append(request)
            refused = self._wire.refusal(request)
            if refused is not None:
                return refused
            if self._script:
                return self._script.pop(0) if len(self._script) > 1 else self._script[0]
        assert self._answer_with is not None, "there is no script"
        return self._answer_with(request.body)


def main() -> None:
    """Serve one answer again and again until stdin ends."""
    with AnthropicServer([Answer(sys.argv[1] if len(sys.argv) > 1 else "hello")]) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
