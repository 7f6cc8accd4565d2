"""Clients flood a daemon on loopback: `python -m tests.faults.flooding URL TOKEN SECONDS SEED` says what they saw.

Each client asks, reads the whole answer on a connection of its own, and asks again: where it is told when to come
again, after that long, as both vendors' clients do; some do not heed that. Beside them, connections are held open by
whoever never ends a head, and opened anew once they are hung up on.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CLIENTS, IMPATIENT, HALF_OPEN = 200, 20, 400
IMPATIENT_SECONDS = 0.1
REOPEN_SECONDS = 0.5
LONGEST_SECONDS = 150.0
BODY = {"model": "shammah:local", "messages": [{"role": "user", "content": "list files"}], "max_tokens": 16}


@dataclass
class Flood:
    """Who is flooded, until when, and what was seen: answers by status, and what went wrong by its name."""

    host: str
    port: int
    token: str
    until: float
    seen: Counter[str] = field(default_factory=Counter)
    longest_seconds: float = 0.0

    async def run(self) -> None:
        """Flood, to the end."""
        clients = [self._client(place) for place in range(CLIENTS)]
        holders = [asyncio.create_task(self._hold()) for _ in range(HALF_OPEN)]
        await asyncio.gather(*clients)
        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)

    async def _client(self, place: int) -> None:
        await asyncio.sleep(random.uniform(0, 1))
        while time.monotonic() < self.until:
            begun = time.monotonic()
            pause = 0.0
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    status, pause = await self._ask()
            except (OSError, asyncio.IncompleteReadError) as error:
                status = type(error).__name__
            self.seen[status] += 1
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - begun)
            heeded = IMPATIENT_SECONDS if place < IMPATIENT else pause * random.uniform(1, 1.5)
            await asyncio.sleep(min(heeded, max(0.0, self.until - time.monotonic())))

    async def _ask(self) -> tuple[str, float]:
        """The status of an answer that was read whole, and how long to wait."""
        body = json.dumps(BODY).encode()
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(self._head(len(body)) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head.decode().splitlines()[1:] if ": " in line)
            await reader.readexactly(int(fields["content-length"]))
            return head.split(b" ", 2)[1].decode(), float(fields.get("retry-after", 0))
        finally:
            writer.close()

    def _head(self, size: int) -> bytes:
        lines = (
            "POST /v1/chat/completions HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            f"Authorization: Bearer {self.token}",
            "Content-Type: application/json",
            f"Content-Length: {size}",
            "Connection: close",
        )
        return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"

    async def _hold(self) -> None:
        """Never end a head."""
        while True:
            await asyncio.sleep(random.uniform(0, 2 * REOPEN_SECONDS))
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: local")
                    while await reader.read(1000):
                        pass
                finally:
                    writer.close()


def main(url: str, token: str, seconds: str, seed: str) -> int:
    """Flood, and say what was seen."""
    random.seed(int(seed))
    address = urlsplit(url)
    assert address.hostname == "127.0.0.1", "nobody else is flooded"
    flood = Flood("127.0.0.1", address.port or 0, token, time.monotonic() + float(seconds))
    asyncio.run(flood.run())
    json.dump({"seen": flood.seen, "longest_seconds": flood.longest_seconds}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
