"""A model hub on this machine: a real HTTP server that speaks what huggingface_hub asks for."""

import hashlib
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

COMMIT = "1234567890abcdef1234567890abcdef12345678"


class Hub:
    """Serves files by "owner/name" and path, at one commit, and remembers what it was asked.

    Attributes:
        files: What there is to fetch.
        requests: Method, path, Range and User-Agent of each request, oldest first.
        cut_after: The next body ends after so many bytes, as when a connection breaks; then None again.
    """

    def __init__(self, files: dict[tuple[str, str], bytes]) -> None:
        self.files = files
        self.requests: list[tuple[str, str, str | None, str]] = []
        self.cut_after: int | None = None
        hub = self

        class Handler(_Handler):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def address(self) -> str:
        """The base of every URL, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def bodies(self) -> list[str | None]:
        """The Range of every request for a body; None means the whole file."""
        return [span for method, _, span, _ in self.requests if method == "GET"]

    def __enter__(self) -> "Hub":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep stderr for the tests."""

    def _answer(self, with_body: bool) -> None:
        span = self.headers["Range"]
        self.owner.requests.append((self.command, self.path, span, self.headers["User-Agent"] or ""))
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        content = self.owner.files.get((match[1], match[3])) if match and match[2] in (COMMIT, "main") else None
        if content is None:
            self._send_missing()
            return
        start = int(span.removeprefix("bytes=").partition("-")[0]) if span else 0
        self._send_headers(content, start)
        if with_body:
            self._send_body(content[start:])

    def _send_missing(self) -> None:
        self.send_response(HTTPStatus.NOT_FOUND)
        self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Error-Message", "Entry not found")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_headers(self, content: bytes, start: int) -> None:
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()

    def _send_body(self, body: bytes) -> None:
        cut, self.owner.cut_after = self.owner.cut_after, None
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True
