"""Eight clients at once: our engine, a bare `llama_decode` loop over eight sequences, llama-cpp-python's own server.

`python -m bench.batching` takes some minutes. The server needs `pip install "llama-cpp-python[server]"`; without it the
loop alone is the peer. Ours is asked through `RemoteModel`, from another process; the server over HTTP, by a client
that only reads the stream.
"""

import argparse
import contextlib
import http.client
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llama_cpp as ll

from bench import shapes, table
from bench.measure import CALM_CORES, Row, watching
from shammah.generation import Sampling, collect
from shammah.hardware import physical_cores
from shammah.local.cells import Cells, Part
from shammah.local.weights import Weights
from shammah.serve.remote import Engine
from shammah.serve.wire import Setup
from shammah_convert.chat import Message

CLIENTS, TOKENS, ROUNDS, CONTEXT = 8, 64, 5, 2048
OF_LOOP, OF_SERVER, LATENCY = 0.9, 2.5, 1.1
START_SECONDS = 120.0
QUESTIONS = [f"undo {number} commits" for number in range(CLIENTS)]  # short: random weights read letter by letter


class Bare:
    """The least that decodes several rows at once: greedy, no text, no log-probabilities, no end."""

    def __init__(self, path: Path, threads: int) -> None:
        self._weights = Weights(path, 0)
        self._cells = Cells(self._weights, CONTEXT, CLIENTS, threads)

    def seconds(self, questions: Sequence[str]) -> float:
        """From the first prompt to the last token of the last answer."""
        prompts = [self._weights.prompt_tokens([Message("user", text)]) for text in questions]
        self._cells.clear()
        start = time.perf_counter()
        parts = [Part(row, tuple(prompt), has_logits=True) for row, prompt in enumerate(prompts)]
        for _ in range(TOKENS):
            logits = self._cells.decode(parts)
            assert logits is not None, "nobody stops it"
            parts = [Part(row, (int(one.argmax()),), has_logits=True) for row, one in enumerate(logits)]
        return time.perf_counter() - start

    def close(self) -> None:
        """Give the memory back."""
        self._cells.close()
        self._weights.close()


class Ours:
    """Our engine, asked as the daemon asks it."""

    def __init__(self, path: Path, threads: int) -> None:
        self._engine = Engine(Setup(str(path), threads, gpu_layers=0, rows=CLIENTS))
        self._engine.start()

    def seconds(self, questions: Sequence[str]) -> float:
        """From the first request to the last token."""
        return at_once(self._ask, questions)

    def close(self) -> None:
        """End the process."""
        self._engine.stop()

    def _ask(self, question: str) -> None:
        done = collect(self._engine.model.stream([Message("user", question)], Sampling(TOKENS)))
        assert done.end.completion_tokens == TOKENS, "random weights end no answer"


class Server:
    """llama-cpp-python's own server."""

    def __init__(self, path: Path, threads: int) -> None:
        self._port = free_port()
        numbers = {"n_ctx": CONTEXT, "n_threads": threads, "n_threads_batch": threads, "port": self._port}
        options = [word for name, number in numbers.items() for word in (f"--{name}", str(number))]
        command = [sys.executable, "-m", "llama_cpp.server", "--model", os.fspath(path), *options]
        self._process = subprocess.Popen(
            # By default a new request cuts off the one that is streamed.
            [*command, "--chat_format", "chatml", "--verbose", "False", "--interrupt_requests", "False"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def seconds(self, questions: Sequence[str]) -> float:
        """From the first request to the last token."""
        return at_once(self._ask, questions)

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), contextlib.closing(self._connection()) as connection:
                connection.request("GET", "/v1/models")
                connection.getresponse().read()
                return
            time.sleep(0.2)
        self.close()
        raise RuntimeError("llama_cpp.server does not start")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port)

    def _ask(self, question: str) -> None:
        messages = [{"role": "user", "content": question}]
        body = {"messages": messages, "max_tokens": TOKENS, "temperature": 0.0, "stream": True}
        with contextlib.closing(self._connection()) as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        assert "[DONE]" in text, f"no whole answer: {text[-200:]}"


Side = Bare | Ours | Server


def at_once(ask: Callable[[str], None], questions: Sequence[str]) -> float:
    """The seconds until all are answered, asked by a thread each."""
    with ThreadPoolExecutor(len(questions)) as pool:
        start = time.perf_counter()
        list(pool.map(ask, questions))
        return time.perf_counter() - start


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(path: Path, threads: int, rounds: int) -> Iterator[Row]:
    """Ratios of tokens/s, and of the latency of a lone client; all sides take turns, with the machine to themselves."""
    has_server = importlib.util.find_spec("fastapi") is not None and importlib.util.find_spec("sse_starlette")
    with contextlib.ExitStack() as stack:
        kinds: dict[str, Callable[[Path, int], Side]] = {"loop": Bare, "ours": Ours}
        if has_server:
            kinds["server"] = Server
        sides = {name: stack.enter_context(contextlib.closing(kind(path, threads))) for name, kind in kinds.items()}
        with watching() as others:
            many = take_turns(sides, QUESTIONS, rounds)
        yield _row(
            "8 clients, tokens/s by the bare loop's", many["loop"], many["ours"], f">= {OF_LOOP:g}", others.cores
        )
        if has_server:
            most = statistics.median(many["server"]) / statistics.median(many["loop"])
            aim = f">= {OF_SERVER:g}" if most >= OF_SERVER else None  # where the bare loop itself reaches it
            yield _row("the bare loop's by the server's", many["server"], many["loop"], None, others.cores)
            yield _row("8 clients, tokens/s by the server's", many["server"], many["ours"], aim, others.cores)
            with watching() as others:
                one = take_turns({name: sides[name] for name in ("ours", "server")}, QUESTIONS[:1], rounds)
            yield _row("1 client, seconds by the server's", one["ours"], one["server"], f"<= {LATENCY:g}", others.cores)


def take_turns(sides: dict[str, Side], questions: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Each side's seconds, A B C A B C; the first round warms up and is dropped.

    In each round all ask something that was not asked before: caches of prompts would spare the sides different work.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            seconds[name].append(side.seconds([f"{number}: {question}" for question in questions]))
    return {name: taken[1:] for name, taken in seconds.items()}


def _row(name: str, over: Sequence[float], under: Sequence[float], aim: str | None, others: float) -> Row:
    ratios = [one / other for one, other in zip(over, under, strict=True)]
    ratio, bound = statistics.median(ratios), float((aim or "<= 0").split()[1])
    is_reached = None if aim is None else ratio >= bound if aim.startswith(">=") else ratio <= bound
    detail = f"{statistics.median(over):.2f} s by {statistics.median(under):.2f} s"
    return Row(name, ratio, min(ratios), max(ratios), "x", aim, is_reached, detail, others)


def main() -> None:
    """Print ratios, all taken in one run."""
    parser = argparse.ArgumentParser(prog="python -m bench.batching", description=main.__doc__)
    parser.add_argument("--shape", choices=sorted(shapes.SHAPES), default="0.5b")
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    ll.llama_backend_init()
    print(f"Others above {CALM_CORES:g} cores: processes of ours count among them as long as they live.")
    table.show(measure(shapes.cached(options.shape), options.threads, options.rounds), options.threads)


if __name__ == "__main__":
    main()
