"""An HTTP server on a free loopback port that leaves no thread behind."""

import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.behaviours import Behaviour, Request

TICK_SECONDS = 0.02


class Server(ThreadingHTTPServer):
    """Joins its threads when it closes, whatever their clients do."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, choose: Callable[[Request], Behaviour], handler: type[BaseHTTPRequestHandler]) -> None:
        self.choose = choose
        self.is_closing = threading.Event()
        self.failures: list[str] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._connections)

    def close(self) -> None:
        self.is_closing.set()
        self.shutdown()
        with self._lock:
            for connection in self._connections:  # wakes a thread that reads from a silent client
                _shut(connection)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, ConnectionError):  # a client may leave whenever it likes
            self.failures.append(repr(error))


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # its client was faster
