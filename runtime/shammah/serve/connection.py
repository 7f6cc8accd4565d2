"""A connection that does not wait for ever: uvicorn's, with a deadline for heads, and so many at most.

uvicorn has a deadline between requests alone: whoever sends a head byte by byte would keep a connection as long as it
likes. The deadline begins with the connection, and again with the first byte of each further head. Where all places
are taken, whoever has been silent for longest makes room; where all are being answered, the new one is refused.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
LINGER_SECONDS, MOST_LINGERING = 1.0, 128
_BODY = b'{"error": "too many connections now"}'
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"retry-after: 1\r\nconnection: close\r\n\r\n" % len(_BODY)
) + _BODY


@dataclass(eq=False)
class Crowd:
    """The connections of a server.

    Attributes:
        taken: Those that have a place.
        silent: Those of them that ask nothing now, the longest silent first.
        lingering: How many were refused and are still to hear it.
    """

    taken: set["Connection"] = field(default_factory=set)
    silent: dict["Connection", None] = field(default_factory=dict)
    lingering: set["Connection"] = field(default_factory=set)

    def make_room(self) -> bool:
        """Refuse whoever has been silent for longest; whether there was one."""
        longest = next(iter(self.silent), None)
        if longest is not None:
            longest.refuse()
        return longest is not None


class Connection(H11Protocol):
    """One connection; `bounded` sets how many a server has at most."""

    most = 64
    head_seconds = HEAD_SECONDS
    crowd = Crowd()
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin, or refuse."""
        super().connection_made(transport)
        if len(self.crowd.taken) >= self.most and not self.crowd.make_room():
            self.refuse()
        else:
            self.crowd.taken.add(self)
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read; a head that is whole has no deadline any more."""
        if self.transport.is_closing() or self not in self.crowd.taken:
            return
        super().data_received(data)
        if self._is_answering:
            self._rest()
        elif self._deadline is None:
            self._await_head()

    def on_response_complete(self) -> None:
        """Go on with the next request, or be silent."""
        super().on_response_complete()
        if self in self.crowd.taken and not self._is_answering and not self.transport.is_closing():
            self.crowd.silent[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        self.crowd.taken.discard(self)
        self.crowd.lingering.discard(self)
        super().connection_lost(exc)

    def refuse(self) -> None:
        """Say that there is no place.

        Whoever has sent what is not read would be reset before it hears that: it is read, for a moment.
        """
        self._rest()
        self.crowd.taken.discard(self)
        self.transport.write(REFUSAL)
        if len(self.crowd.lingering) < MOST_LINGERING:
            self.crowd.lingering.add(self)
            self.transport.write_eof()
            self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self.crowd.silent[self] = None
        self._deadline = self.loop.call_later(self.head_seconds, self._hang_up)

    def _rest(self) -> None:
        self.crowd.silent.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def bounded(most: int) -> type[Connection]:
    """The class of a server's connections, of which there are so many at most; uvicorn makes the instances."""
    return type("Bounded", (Connection,), {"most": most, "crowd": Crowd()})
