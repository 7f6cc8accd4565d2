"""A connection that does not wait for ever: uvicorn's, with a deadline for heads, and so many at most.

uvicorn has a deadline between requests alone: whoever sends a head byte by byte would keep a connection as long as it
likes. The deadline begins with the connection, and again with the first byte of each further head.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
_BODY = b'{"error": "too many connections now"}'
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"retry-after: 1\r\nconnection: close\r\n\r\n" % len(_BODY)
) + _BODY


class Connection(H11Protocol):
    """One connection; `bounded` sets how many a server has at most."""

    most = 64
    head_seconds = HEAD_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin, or refuse."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.write(REFUSAL)
            transport.close()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read; a head that is whole has no deadline any more."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering:
            self._rest()
        elif self._deadline is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._hang_up)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def bounded(most: int) -> type[Connection]:
    """The class of a server's connections, of which there are so many at most; uvicorn makes the instances."""
    return type("Bounded", (Connection,), {"most": most})
