"""A real process that serves a GGUF by OpenAI's API, with the ways of llama-server or of vLLM beside it.

    with ModelServer("vllm") as server:
        ...  # server.url, server.requests()

Neither program can be installed where the tests run, so this one speaks their dialects as their documentation has them,
over a model that llama.cpp really runs: adapters are applied, tokens are counted, contexts are refused.
"""

import json
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shammah.adapters import hash_of
from shammah.bases import SEEDLING
from shammah.errors import ContextTooLong
from shammah.generation import Chunk, Finish, Sampling
from shammah.local import LocalModel
from shammah_convert import lora, peft
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile
from shammah_convert.mapped import MappedFile
from shammah_convert.opened import OpenBase

NAME, CONTEXT_TOKENS = "seedling-served", 1024
OWNERS = {"llama.cpp": "llamacpp", "vllm": "vllm", "ollama": "library", "plain": "somebody"}
SOURCE = str(SEEDLING)
_FINISHES = {Finish.STOP: "stop", Finish.LENGTH: "length"}


class ModelServer:
    """The process, between `__enter__` and `__exit__`.

    Args:
        kind: Whose dialect it speaks: "llama.cpp", "vllm" or "plain".
        loras: Adapter files that it is started with, as llama-server is.
        key: That it wants; empty for none.
    """

    def __init__(self, kind: str, loras: Sequence[Path] = (), key: str = "", name: str = NAME) -> None:
        self._arguments = [kind, key, name, *map(str, loras)]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.model_server", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        said, _ = self._process.communicate()
        self.requests = [json.loads(line) for line in said.splitlines()]

    def change(self, **told: object) -> None:
        """Let it run another model, as far as anybody can see: what it tells of itself is another's from here on.

        Args:
            told: `name`, what it calls that; `source`, where its weights come from; `says`, what its answers call it,
                where that is another name; `meta` with `n_params`, `size` and `n_vocab`; `kind`, another program;
                `loaded`, the adapters that it has: {} as one that was started anew.
        """
        body = json.dumps(told).encode()
        urllib.request.urlopen(f"{self.url[:-3]}/test/changed", body).close()

    def kill(self) -> None:
        """End it as the kernel would."""
        self._process.kill()


class _Served:
    """The model, one answer at a time, and the adapters that it knows."""

    def __init__(self, kind: str, key: str, name: str, loras: Sequence[str]) -> None:
        self.kind, self.key, self.name = kind, key, name
        self.model = LocalModel(SEEDLING)
        self.source, self.says = SOURCE, ""
        facts, file = self.model.facts, MappedFile(SEEDLING)
        _, vocabulary = file.items(file.fields["tokenizer.ggml.tokens"])
        self.meta: dict[str, int] = {}
        self.numbers = {"n_params": facts.parameters, "size": facts.size_bytes, "n_vocab": vocabulary}
        self.lock = threading.Lock()
        self.started_with = [AdapterFile(Path(path).stem, path, hash_of(Path(path))) for path in loras]
        self.loaded: dict[str, tuple[AdapterFile, str]] = {}
        self._folder = tempfile.TemporaryDirectory()

    def load(self, name: str, folder: str) -> None:
        """Take a PEFT folder in, as vLLM does."""
        base = OpenBase(SEEDLING).config
        path = Path(self._folder.name) / f"{name}.gguf"
        lora.write_lora(path, peft.read_peft(Path(folder), base), base)
        self.loaded[name] = AdapterFile(name, str(path), hash_of(path)), folder

    def listed(self) -> Iterator[dict[str, Any]]:
        """Its models, each with what the dialect tells of it."""
        row: dict[str, Any] = {"id": self.name, "owned_by": OWNERS[self.kind]}
        match self.kind:
            case "llama.cpp":
                yield row | {"meta": self.numbers | self.meta}
            case "vllm":
                yield row | {"root": self.source, "parent": None, "max_model_len": CONTEXT_TOKENS}
                for name, (_, folder) in self.loaded.items():
                    yield row | {"id": name, "root": folder, "parent": self.name}
            case _:
                yield row

    def wanted(self, body: dict[str, Any]) -> list[AdapterFile]:
        """The adapters that a request is answered with."""
        if self.kind == "vllm":
            return [self.loaded[body["model"]][0]] if body["model"] in self.loaded else []
        scales = {row["id"]: row["scale"] for row in body.get("lora", ())}
        files = enumerate(self.started_with)
        return [AdapterFile(file.name, file.path, file.sha256, scales[id]) for id, file in files if scales.get(id)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: _Served

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its own name)
        """Keep stderr clean."""

    def do_GET(self) -> None:
        served = self.served
        if not self._may():
            return
        match self.path:
            case "/v1/models":
                self._reply({"data": list(served.listed())})
            case "/props" if served.kind == "llama.cpp":
                self._reply({"default_generation_settings": {"n_ctx": CONTEXT_TOKENS}, "model_path": served.source})
            case "/api/tags" if served.kind == "ollama":
                self._reply({"models": [{"name": served.name, "digest": served.source}]})
            case "/lora-adapters" if served.kind == "llama.cpp":
                rows = enumerate(served.started_with)
                self._reply([{"id": id, "path": file.path, "scale": 0.0} for id, file in rows])
            case _:
                self._reply({"error": {"message": "not found"}}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        sys.stdout.write(json.dumps({"path": self.path, "body": body}) + "\n")
        sys.stdout.flush()
        if not self._may():
            return
        match (self.path, self.served.kind):
            case ("/v1/chat/completions", _):
                self._complete(body)
            case ("/v1/load_lora_adapter", "vllm"):
                self.served.load(body["lora_name"], body["lora_path"])
                self._reply(None, text="Success: LoRA adapter added")
            case ("/v1/unload_lora_adapter", "vllm"):
                if self.served.loaded.pop(body["lora_name"], None) is None:
                    words = f"The lora adapter '{body['lora_name']}' cannot be found."
                    self._reply({"error": {"message": words, "type": "NotFoundError"}}, 404)
                else:
                    self._reply(None, text="Success: LoRA adapter removed")
            case ("/test/changed", _):
                served = self.served
                vars(served).update(body)
                self._reply({})
            case ("/tokenize", "vllm"):
                self._reply({"tokens": self._tokens(body["messages"])})
            case ("/apply-template", "llama.cpp"):
                self._reply({"prompt": json.dumps(body["messages"])})
            case ("/tokenize", "llama.cpp"):
                self._reply({"tokens": self._tokens(json.loads(body["content"]))})
            case _:
                self._reply({"error": {"message": "not found"}}, 404)

    def _may(self) -> bool:
        key = self.served.key
        if key and self.headers.get("authorization") != f"Bearer {key}":
            self._reply({"error": {"message": "Invalid API Key"}}, 401)
            return False
        return True

    def _tokens(self, turns: list[dict[str, Any]]) -> list[int]:
        with self.served.lock:
            return self.served.model.prompt_tokens([Message(**turn) for turn in turns])

    def _complete(self, body: dict[str, Any]) -> None:
        served = self.served
        if served.kind == "plain" and body.get("logprobs"):  # as llama-cpp-python's own server says it
            self._reply(
                {"error": {"message": "logprobs is not supported for models created with logits_all=False"}}, 500
            )
            return
        messages = [Message(**turn) for turn in body["messages"]]
        if served.kind != "llama.cpp" and body["model"] not in (served.name, *served.loaded):
            self._reply({"error": {"message": f"The model `{body['model']}` does not exist."}}, 404)
            return
        if served.kind == "vllm" and len(self._tokens(body["messages"])) + body["max_tokens"] > CONTEXT_TOKENS:
            words = f"'max_tokens' or 'max_completion_tokens' is too large: {body['max_tokens']}."
            self._reply({"error": {"message": words, "type": "BadRequestError"}}, 400)
            return
        assert ("chat_template_kwargs" in body) is (served.kind in ("llama.cpp", "vllm")), "Qwen3 would think first"
        wanted = Sampling(body["max_tokens"], body["temperature"], body.get("seed"), stop=tuple(body.get("stop", ())))
        with served.lock:
            served.model.apply(served.wanted(body))
            try:
                chunks = served.model.stream(messages, wanted, limit_tokens=CONTEXT_TOKENS)
                self._stream(chunks, body)
            except ContextTooLong:
                words = f"This model's maximum context length is {CONTEXT_TOKENS} tokens."
                self._reply({"error": {"message": words, "type": "BadRequestError"}}, 400)

    def _called(self, body: dict[str, Any]) -> str:
        """What the answer to a request says that it is from: the adapter, or the model by its one name."""
        named = self.served.says or self.served.name
        return str(body["model"]) if body["model"] in self.served.loaded else named

    def _stream(self, chunks: Iterator[Chunk], body: dict[str, Any]) -> None:
        tells_logprobs = bool(body.get("logprobs"))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for chunk in chunks:
            told = {"content": [{"token": chunk.text, "logprob": chunk.logprob}]} if tells_logprobs else None
            choice: dict[str, Any] = {"index": 0, "delta": {"content": chunk.text}, "logprobs": told}
            if chunk.end is not None:
                choice = {"index": 0, "delta": {}, "finish_reason": _FINISHES.get(chunk.end.finish, "stop")}
            self._event({"model": self._called(body), "choices": [choice]})
            if chunk.end is not None:
                counted = {"prompt_tokens": chunk.end.prompt_tokens, "completion_tokens": chunk.end.completion_tokens}
                self._event({"choices": [], "usage": counted})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def _reply(self, row: object, status: int = 200, text: str = "") -> None:
        data = (text or json.dumps(row)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(kind: str, key: str, name: str, *loras: str) -> None:
    """Serve until stdin ends: the port comes first, then a line for each request that was posted."""
    _Handler.served = _Served(kind, key, name, loras)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
