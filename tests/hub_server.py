"""A model hub on this machine: a real HTTP server that speaks what huggingface_hub asks for."""

import contextlib
import hashlib
import json
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

COMMIT = "1234567890abcdef1234567890abcdef12345678"
TOKEN = "hf_" + "good" * 5


class Hub:
    """Serves files by "owner/name" and path, at one commit, and remembers what it was asked.

    Attributes:
        files: What there is to fetch.
        requests: Method, path, Range and User-Agent of each request, oldest first.
        cut_after: The next body ends after so many bytes, as when a connection breaks; then None again.
        stall_after: The next body stops after so many bytes until `go_on` is set; then None again.
        is_down: Every request for a body is answered with 503.
        breaks: After a cut it is down.
        is_corrupt: Bodies are not what their checksums say.
        gated: Repositories that are given to those only who have the token.
        cards: What the cards of repositories say, such as {"license": "apache-2.0"}.
        architectures: Of the GGUFs of repositories, as the hub reads them.
        told_bytes: As how large every file is listed, whatever it is.
        told_path: As what every file is listed, whatever it is called.
        told_sha256: With which hash.
    """

    def __init__(self, files: dict[tuple[str, str], bytes]) -> None:
        self.files = files
        self.requests: list[tuple[str, str, str | None, str]] = []
        self.cut_after: int | None = None
        self.stall_after: int | None = None
        self.has_stalled, self.go_on = threading.Event(), threading.Event()
        self.is_down = self.is_corrupt = self.breaks = False
        self.gated: set[str] = set()
        self.cards: dict[str, dict[str, str]] = {}
        self.architectures: dict[str, str] = {}
        self.told_bytes: int | None = None
        self.told_path, self.told_sha256 = "", ""
        hub = self

        class Handler(_Handler):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        """The base of every URL, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def bodies(self) -> list[str | None]:
        """The Range of every request for a file's body; None means the whole file."""
        return [span for method, path, span, _ in self.requests if method == "GET" and "/resolve/" in path]

    def __enter__(self) -> "Hub":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
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
        path = self.path.partition("?")[0]
        if listed := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            self._send_listing(listed[1])
            return
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        content = self.owner.files.get((match[1], match[3])) if match and match[2] in (COMMIT, "main") else None
        if match and self._is_refused(match[1]):
            self._send_error(HTTPStatus.FORBIDDEN, "GatedRepo")
            return
        if content is None:
            self._send_error(HTTPStatus.NOT_FOUND, "EntryNotFound")
            return
        if with_body and self.owner.is_down:
            self._send_error(HTTPStatus.SERVICE_UNAVAILABLE, "")
            return
        start = int(span.removeprefix("bytes=").partition("-")[0]) if span else 0
        self._send_headers(content, start)
        if with_body:
            with contextlib.suppress(ConnectionError):  # whoever asked was killed
                self._send_body(content[start:])

    def _is_refused(self, repository: str) -> bool:
        return repository in self.owner.gated and self.headers["Authorization"] != f"Bearer {TOKEN}"

    def _send_listing(self, repository: str) -> None:
        files = {path: content for (name, path), content in self.owner.files.items() if name == repository}
        if not files:  # as the hub answers whoever is not logged in, for what is private and for what is not there
            self._send_error(HTTPStatus.UNAUTHORIZED, "RepoNotFound")
            return
        listing = {
            "id": repository,
            "sha": COMMIT,
            "gated": "manual" if repository in self.owner.gated else False,
            "cardData": self.owner.cards.get(repository, {}),
            "gguf": {"architecture": self.owner.architectures.get(repository, "qwen2")},
            "siblings": [_sibling(path, content, self.owner) for path, content in files.items()],
        }
        body = json.dumps(listing).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_error(self, status: HTTPStatus, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", code)
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
        stall, self.owner.stall_after = self.owner.stall_after, None
        if self.owner.is_corrupt:
            body = bytes(byte ^ 1 for byte in body[:1]) + body[1:]
        if stall is not None:
            self.wfile.write(body[:stall])
            self.owner.has_stalled.set()
            self.owner.go_on.wait(30)
            body = body[stall:]
        self.wfile.write(body[:cut])
        if cut is not None:
            self.owner.is_down = self.owner.breaks
            self.close_connection = True


def _sibling(path: str, content: bytes, hub: Hub) -> dict[str, object]:
    sha256 = hub.told_sha256 or hashlib.sha256(content).hexdigest()
    size = len(content) if hub.told_bytes is None else hub.told_bytes
    return {
        "rfilename": hub.told_path or path,
        "size": size,
        "blobId": "0" * 40,
        "lfs": {"sha256": sha256, "size": size, "pointerSize": 134},
    }
