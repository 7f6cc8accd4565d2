"""How the daemon serves, as the user sets it."""

from dataclasses import dataclass

LIBRARIES = ("starlette", "uvicorn", "sse_starlette")
"""What the daemon stands on: the extra `[serve]`."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How the daemon serves, and whether commands use it.

    Attributes:
        use: Commands let a running daemon answer.
        host: The address of the port; one that others reach takes a token.
        any_key: Programs on this machine need no token of ours.
        names: Other names that it may be called by, as a Host header has them, with commas between.
        max_body_mb: The largest request, in megabytes.
        connections: At most so many requests at once.
    """

    use: bool = True
    host: str = "127.0.0.1"
    port: int = 11435
    any_key: bool = False
    names: str = ""
    max_body_mb: int = 8
    connections: int = 64
