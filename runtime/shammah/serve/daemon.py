"""The daemon's life: its socket and its port, its model, and its end, for which streams in flight are waited for."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from shammah import locks
from shammah.errors import ServeError
from shammah.serve import client, doors
from shammah.serve.connection import allow_files, of_server
from shammah.serve.house import House
from shammah.serve.place import socket_of
from shammah.serve.private import Private
from shammah.serve.served import Load, OpenEngine
from shammah.settings import Settings

# Streams in flight may end by themselves for so long.
DRAIN_SECONDS = 20
BACKLOG = 128
# Between two turns of a thread that computes: with Python's 5 ms, the loop would wait for 16 that answer, one by one.
SWITCH_SECONDS = 0.0005


class Daemon:
    """One home's daemon."""

    def __init__(self, settings: Settings, open_engine: OpenEngine, load: Load | None = None) -> None:
        """Take the settings, and what reads them again when they were changed; nothing is opened yet."""
        self.house = House(settings, open_engine, load)
        self._settings = settings
        self._server: uvicorn.Server | None = None
        self._error: Exception | None = None
        self._is_over = threading.Event()

    def run(
        self,
        started: Callable[[House], None] = lambda _: None,
        opened: Callable[[House], None] = lambda _: None,
    ) -> None:
        """Serve until told to stop; `started` is called once requests are heard, `opened` once they are answered.

        Raises:
            ServeError: Another daemon serves this home, or the port is taken.
            ShammahError: The model cannot be opened, or the settings would let anybody in.
        """
        home = self._settings.home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locks.only_one(home / locks.SERVING) as lock:
            if lock is None:
                raise ServeError("a daemon serves this home already", hint="See `shammah serve status`.")
            lock.name(os.getpid())
            with private_socket(socket_of(home)) as private, doors.public_socket(self._settings) as public:
                self.house.url = doors.url_of(public)
                with _heeding(self.stop), contextlib.closing(self.house):
                    opening = threading.Thread(target=self._open, args=(opened,), name="opening")
                    opening.start()
                    asyncio.run(self._serve(private, public, started))
                    opening.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End, once what is in flight is over."""
        self._is_over.set()
        if self._server is not None:
            self._server.should_exit = True

    def _open(self, opened: Callable[[House], None]) -> None:
        """Open the model; without one there is nothing to serve."""
        try:
            self.house.open()
            opened(self.house)
        except Exception as error:  # whoever runs the daemon gets it
            self._error = error
            self.stop()

    async def _serve(self, private: socket.socket, public: socket.socket, started: Callable[[House], None]) -> None:
        allow_files()
        sys.setswitchinterval(SWITCH_SECONDS)
        app = _Two(Private(self.house, self.stop).app, doors.app(self.house))
        config = uvicorn.Config(
            app,
            http=of_server(),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._server.should_exit = self._is_over.is_set()
        started(self.house)
        await self._server.serve([private, public])


class _Two:
    """The commands' routes for whoever comes through the socket's file, the programs' for the port."""

    def __init__(self, private: ASGIApp, public: ASGIApp) -> None:
        self._private = private
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_file = scope["server"] is None or scope["server"][1] is None
        await (self._private if is_file else self._public)(scope, receive, send)


@contextlib.contextmanager
def private_socket(place: Path) -> Iterator[socket.socket]:
    """The commands' socket, 0600; one that a killed daemon left is replaced.

    Raises:
        ServeError: Somebody answers there, or it cannot be made.
    """
    if place.exists():
        with contextlib.suppress(client.NoDaemon):
            client.request(place, "/private/status")
            raise ServeError(f"somebody answers at {place} already", hint="See `shammah serve status`.")
    with _bound(place) as bound:
        try:
            yield bound
        finally:
            place.unlink(missing_ok=True)


def _bound(place: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # before it can be seen, nobody else may open it
    try:
        place.unlink(missing_ok=True)
        bound.bind(str(place))
        bound.listen(BACKLOG)  # a command that comes early waits for the loop
    except OSError as error:
        bound.close()
        raise ServeError(f"{place} cannot be made: {error.strerror}") from error
    finally:
        os.umask(mask)
    return bound


@contextlib.contextmanager
def _heeding(stop: Callable[[], None]) -> Iterator[None]:
    """End by SIGINT and SIGTERM also before uvicorn listens to them.

    It raises them again once it has drained: what is to be given back is given back first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
