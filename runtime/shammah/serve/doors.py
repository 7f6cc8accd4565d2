"""The port: where it is opened, to whom, and what stands behind it."""

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shammah.errors import ConfigError, ServeError
from shammah.serve.counters import Counters
from shammah.serve.guard import LOOPBACK_NAMES, OPEN_PATHS, Guard, Refusal, Rules, refuse
from shammah.serve.house import House
from shammah.serve.routes import handlers, table
from shammah.serve.token import token_of
from shammah.settings import Settings

BACKLOG = 128
TAKEN = "Another program may have it: give another with --port, or serve.port; 0 takes any that is free."
NOT_OURS = "It takes a name or number of this machine: --host, or serve.host."


def app(house: House) -> ASGIApp:
    """The routes behind their guard."""
    routes = table(house)
    guarded = Guard(Starlette(routes=routes, exception_handlers=handlers()), rules(house.settings))
    bounded = Bounded(guarded, house.settings.serve.connections)
    return Counted(bounded, house.counters, frozenset(route.path for route in routes))


class Bounded:
    """Takes on so many requests at once; how it is may always be asked."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
        elif self._taken >= self._most:
            await refuse(send, Refusal(503, "overloaded_error", "as many requests are being answered as may be"))
        else:
            self._taken += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._taken -= 1


class Counted:
    """Counts what is answered, by path and status; paths that are none of ours count as one."""

    def __init__(self, app: ASGIApp, counters: Counters, paths: frozenset[str]) -> None:
        self._app = app
        self._counters = counters
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its answer."""
        path = scope["path"] if scope["path"] in self._paths else "other"

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counters.requested(path, message["status"])
            await send(message)

        await self._app(scope, receive, counted)


def rules(settings: Settings) -> Rules:
    """What a request has to bring, as the settings want it; the token is made where there is none.

    Raises:
        ServeError: It cannot be.
    """
    serve = settings.serve
    names = {name.strip().lower() for name in serve.names.split(",") if name.strip()}
    return Rules(
        token="" if serve.any_key else token_of(settings.home),
        names=LOOPBACK_NAMES | names | {serve.host.lower()},
        takes_addresses=not is_loopback(serve.host),
        max_body_bytes=serve.max_body_mb * 2**20,
    )


def check(settings: Settings) -> None:
    """Refuse what would let anybody in.

    Raises:
        ConfigError: Others reach the address, and no token is asked for.
    """
    if settings.serve.any_key and not is_loopback(settings.serve.host):
        raise ConfigError(
            f"`serve.host` is {settings.serve.host!r}, which others reach, and `serve.any_key` lets in whoever comes",
            hint="Leave out one of the two.",
        )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone; what other names mean is not asked."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextlib.contextmanager
def public_socket(settings: Settings) -> Iterator[socket.socket]:
    """The port, bound.

    Raises:
        ConfigError: The settings would let anybody in.
        ServeError: It is taken, or the address is none of this machine.
    """
    check(settings)
    host, port = settings.serve.host, settings.serve.port
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise _closed(host, port, error) from error
    with bound:
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(BACKLOG)
        except OSError as error:
            raise _closed(host, port, error) from error
        yield bound


def url_of(bound: socket.socket) -> str:
    """Where programs reach a port."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _closed(host: str, port: int, error: OSError | UnicodeError) -> ServeError:
    why = error.strerror if isinstance(error, OSError) else error
    is_taken = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
    return ServeError(f"port {port} of {host} cannot be opened: {why}", hint=TAKEN if is_taken else NOT_OURS)
