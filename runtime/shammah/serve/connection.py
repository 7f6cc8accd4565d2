"""A connection that does not wait for ever: uvicorn's, with a deadline for heads, and so many that say nothing.

uvicorn has a deadline between requests alone: whoever sends a head byte by byte would keep a connection as long as it
likes. The deadline begins with the connection, and again with the first byte of each further head. Whoever has been
silent for longest makes room for others; how many are answered at once, `doors` decides.
"""

import asyncio
import contextlib
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
# More than the loop accepts in four turns: whoever speaks at once is heard before it is silent for longest.
MOST_SILENT = 512
LINGER_SECONDS, MOST_LINGERING = 1.0, 128
FILES = 2048
"""That the process may have open: macOS begins with 256."""

_BODY = b'{"error": "too many connections now"}'
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"retry-after: 1\r\nconnection: close\r\n\r\n" % len(_BODY)
) + _BODY


class Connection(H11Protocol):
    """One connection; uvicorn makes the instances of the class that `of_server` gives.

    Attributes:
        silent: Those of the server that ask nothing now, the longest silent first.
        lingering: Those that were refused and are still to hear it.
    """

    head_seconds = HEAD_SECONDS
    most_silent = MOST_SILENT
    silent: "dict[Connection, None]"
    lingering: "set[Connection]"
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(transport)
        self._await_head()
        if len(self.silent) > self.most_silent:
            next(iter(self.silent))._refuse()

    def data_received(self, data: bytes) -> None:
        """Read; a head that is whole has no deadline any more."""
        if self.transport.is_closing() or self in self.lingering:
            return
        super().data_received(data)
        if self._is_answering:
            self._rest()
        elif self._deadline is None:
            self._await_head()

    def on_response_complete(self) -> None:
        """Go on with the next request, or be silent."""
        super().on_response_complete()
        if not self._is_answering and not self.transport.is_closing():
            self.silent[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        self.lingering.discard(self)
        super().connection_lost(exc)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self) -> None:
        """Say that there is no place.

        Whoever has sent what is not read would be reset before it hears that: it is read, for a moment.
        """
        self._rest()
        self.transport.write(REFUSAL)
        if len(self.lingering) < MOST_LINGERING:
            self.lingering.add(self)
            self.transport.write_eof()
            self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _await_head(self) -> None:
        self.silent[self] = None
        self._deadline = self.loop.call_later(self.head_seconds, self._hang_up)

    def _rest(self) -> None:
        self.silent.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def of_server() -> type[Connection]:
    """The class of one server's connections."""
    return type("OfServer", (Connection,), {"silent": {}, "lingering": set()})


def allow_files() -> None:
    """Let the process have as many connections open as it takes on, where the system allows that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
