"""A daemon in a thread of the test's own process, on a free port, for commands that are processes of their own."""

import http.client
import json
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from shammah import config
from shammah.serve import client
from shammah.serve.daemon import Daemon
from shammah.serve.engines import open_engine
from shammah.serve.house import House
from shammah.serve.place import socket_of
from shammah.serve.token import token_of
from tests.whole.command import Home

SECONDS_TO_OPEN = 60.0


class Serving:
    """Serves a home between `__enter__` and `__exit__`.

    Attributes:
        house: What its requests share.
    """

    def __init__(self, home: Home, **flags: object) -> None:
        self.home = home
        given = {"serve__port": 0} | flags
        self.settings = config.load(home.environment(), **given)
        self._daemon = Daemon(self.settings, open_engine, lambda: config.load(home.environment(), **given))
        self.house = self._daemon.house
        self._is_heard = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="daemon")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_heard.wait(SECONDS_TO_OPEN)
        if self._error is not None:
            raise self._error
        self.wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.stop()
        self._thread.join()

    def wait_until_ready(self) -> None:
        """Wait for the model."""
        pause = threading.Event()
        for _ in range(round(SECONDS_TO_OPEN / 0.01)):
            if self.house.state != "loading":
                break
            pause.wait(0.01)
        assert self.house.state == "ready"

    def status(self) -> dict[str, Any]:
        """What it says of itself to commands."""
        return client.request(socket_of(self.home.path), "/private/status")

    def http(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        """A request at the port with the token: status, what JSON says, headers."""
        address = urlsplit(self.house.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        sent = {"Authorization": f"Bearer {token_of(self.home.path)}"} | dict(headers or {})
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent = {"Content-Type": "application/json"} | sent
        try:
            connection.request(method, path, data, {name: value for name, value in sent.items() if value})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else text.decode(), dict(response.headers)

    def _run(self) -> None:
        def started(_: House) -> None:
            self._is_heard.set()

        try:
            self._daemon.run(started)
        except Exception as error:  # whoever waits for it gets it
            self._error = error
            self._is_heard.set()
