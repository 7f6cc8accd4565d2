"""The engine: the only process of the daemon that runs llama.cpp: `python -m shammah.serve.engine DESCRIPTOR`.

It opens what the first line of its pipe says, answers what the others ask, and ends when nobody is at the other end.
"""

import contextlib
import os
import queue
import resource
import socket
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shammah import adapters, crash, openings
from shammah.errors import BadModel, ShammahError
from shammah.generation import Facts
from shammah.hardware import BusyMeter
from shammah.local import Embedder
from shammah.local.batch import BatchedModel, Limits
from shammah.local.waiting import Request
from shammah.serve.wire import (
    REPLY,
    Event,
    Opened,
    Setup,
    Wire,
    adapters_of,
    event_of,
    messages_of,
    packed,
    sampling_of,
)

THREADS_SECONDS = 2.0
"""Between two looks at how many cores are free."""


def main(descriptor: str) -> int:
    """Serve the daemon at the other end of a pipe, until it is gone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    crash.settle()
    threading.excepthook = _give_up
    wire = Wire(socket.socket(fileno=int(descriptor)))
    lines = wire.lines()
    if (first := next(lines, None)) is None:  # the daemon was killed as it began
        return 0
    setup = Setup(**first)
    try:
        model = _open(setup) if setup.path else None
    except ShammahError as error:
        _send(wire, event_of(0, error))
        return 1
    _send(wire, [0, REPLY, asdict(_opened(model))])
    Desk(model, wire, setup.embedder).serve(lines)
    os._exit(0)  # nobody waits for what is under way


def _send(wire: Wire, *events: Event) -> None:
    """Send events in one line; where the daemon is gone, this process ends."""
    try:
        wire.send(list(events))
    except OSError:
        os._exit(0)


def _give_up(failed: threading.ExceptHookArgs) -> None:
    """End the process: whoever asked is told by its death."""
    if failed.exc_value is not None:
        sys.stderr.write(crash.told(failed.exc_value) + "\n")
    os._exit(1)


def _opened(model: BatchedModel | None) -> Opened:
    if model is None:
        return Opened(Facts("", "", 0, 0, 0, 0), 0, 0, 0)
    return Opened(model.facts, model.threads, model.gpu_layers, model.limit(None))


def _open(setup: Setup) -> BatchedModel:
    threads = FreeCores().threads if setup.threads == 0 else lambda: setup.threads
    limits, file = Limits(setup.rows, setup.most_tokens, setup.most_waiting), Path(setup.path)
    with openings.marked(Path(setup.marks), file) if setup.marks else contextlib.nullcontext():
        return BatchedModel(file, threads, setup.gpu_layers, limits, adapters.verify)


class FreeCores:
    """Counts the physical cores that others leave free, looking again now and then."""

    def __init__(self) -> None:
        self._meter = BusyMeter()
        self._began = time.monotonic()
        self._threads = self._meter.threads()

    def threads(self) -> int:
        """As many as were free of late."""
        if time.monotonic() - self._began >= THREADS_SECONDS:
            self._threads = self._meter.threads()
            self._meter, self._began = BusyMeter(), time.monotonic()
        return self._threads


class Desk:
    """Takes requests from the pipe, and sends what is said to them."""

    def __init__(self, model: BatchedModel | None, wire: Wire, embedder: str) -> None:
        self._opened = model
        self._outbox = Outbox(wire)
        # The model holds those that wait or run.
        self._requests: weakref.WeakValueDictionary[int, Request] = weakref.WeakValueDictionary()
        self._embedder = embedder
        self._texts: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        if model is not None:
            model.after_step = self._outbox.flush
        threading.Thread(target=self._embed_all, name="embedding", daemon=True).start()

    @property
    def _model(self) -> BatchedModel:
        if self._opened is None:
            raise BadModel("this engine has no model open: a server runs it")
        return self._opened

    def serve(self, lines: Iterator[dict[str, Any]]) -> None:
        """Do what each line asks, to the last."""
        for line in lines:
            number, what = line["id"], line["do"]
            try:
                self._do(number, what, line)
            except ShammahError as error:
                self._outbox.add(event_of(number, error))
            self._outbox.flush()

    def _do(self, number: int, what: str, line: dict[str, Any]) -> None:
        match what:
            case "stream":
                self._stream(number, line)
            case "leave":
                if (request := self._requests.get(number)) is not None:
                    self._model.leave(request)
            case "tokens":
                self._outbox.add([number, REPLY, self._model.prompt_tokens(messages_of(line["messages"]))])
            case "embed":
                self._texts.put((number, line["text"]))
            case _:
                raise AssertionError(f"nobody knows how to {what}")

    def _stream(self, number: int, line: dict[str, Any]) -> None:
        self._requests[number] = self._model.submit(
            messages_of(line["messages"]),
            sampling_of(line["sampling"]),
            lambda said: self._outbox.add(event_of(number, said)),
            adapters_of(line["adapters"]),
            line["limit_tokens"],
        )

    def _embed_all(self) -> None:
        """Embed text after text, on a thread of its own."""
        opened: list[Embedder] = []
        while True:
            number, text = self._texts.get()
            try:
                if not opened:
                    opened.append(self._open_embedder())
                self._outbox.add([number, REPLY, packed(opened[0].embed(text))])
            except ShammahError as error:
                self._outbox.add(event_of(number, error))
            self._outbox.flush()

    def _open_embedder(self) -> Embedder:
        if not self._embedder:
            raise BadModel("there is no sentence embedder", hint="`shammah doctor` says how to get it.")
        return Embedder(Path(self._embedder))


class Outbox:
    """Events on their way to the daemon: those of a step go in one line."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        """Take an event in."""
        self._events.append(event)

    def flush(self) -> None:
        """Send what was taken in, in its order."""
        with self._lock:
            events = [self._events.popleft() for _ in range(len(self._events))]
            if events:
                _send(self._wire, *events)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
