"""A GGUF Qwen that answers many at once: one thread decodes one token of each answer in every step."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from shammah import window
from shammah.generation import Chunk, Facts, Sampling, Stop, never, without_thinking
from shammah.hearing import Heard, chunks_of
from shammah.local.decoding import Decoding
from shammah.local.running import Running
from shammah.local.waiting import Adapters, Hear, Queue, Request
from shammah.local.weights import Weights
from shammah.local.writing import Writing
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile

FIRST_SIZE = 8192
"""Tokens of a context at first; it grows where they are too few."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is done at once.

    Attributes:
        rows: Answers that are written at the same time.
        most_tokens: That the context may grow to: of all answers together, what they begin with in common counted once.
        most_waiting: Requests that wait for a row; more are refused.
    """

    rows: int = 8
    most_tokens: int = 16384
    most_waiting: int = 64


class BatchedModel:
    """A GGUF Qwen that answers many at once; any thread may ask it."""

    def __init__(
        self,
        path: Path,
        threads: Callable[[], int],
        gpu_layers: int | None = None,
        limits: Limits = Limits(),
        check: Callable[[AdapterFile], object] = lambda _: None,
    ) -> None:
        """Map the file, and evaluate a token: what cannot run shows now, and the weights are in memory.

        Args:
            path: A GGUF file.
            threads: Tells how many threads are free; asked again and again.
            gpu_layers: Layers to offload; None offloads all where llama.cpp can, and none where that fails.
            limits: How much is done at once.
            check: Raises an AdapterError where a file is not to be applied.

        Raises:
            ModelMissing: There is no such file.
            BadModel: llama.cpp cannot load it, or it is no Qwen2, Qwen2.5 or Qwen3.
        """
        self.limits = limits
        self.weights = Weights(path, gpu_layers)
        self.after_step: Callable[[], None] = lambda: None
        size = min(FIRST_SIZE, window.size_for(limits.most_tokens))
        most = window.size_for(limits.most_tokens)
        self._running = Running(self.weights, limits.rows, size, most, threads())
        self._queue = Queue(limits.rows, limits.most_waiting, self._running.pace)
        decoding = Decoding(self._queue, self._running, threads, check, lambda: self.after_step())
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=decoding.work, args=(opened,), name="decoding", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all answers, and give back all native memory."""
        self._queue.close()
        self._thread.join()
        self._running.close()
        self.weights.close()

    def __enter__(self) -> "BatchedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def facts(self) -> Facts:
        """What the file says of itself."""
        return self.weights.facts

    @property
    def threads(self) -> int:
        """With which it decodes right now."""
        return self._running.threads

    @property
    def gpu_layers(self) -> int:
        """Layers that are offloaded."""
        return self.weights.gpu_layers

    @property
    def context_tokens(self) -> int:
        """Of the context, as it is now."""
        return self._running.cells.size

    @property
    def work(self) -> tuple[int, int]:
        """Steps and tokens that were decoded with the context that is open."""
        return self._running.cells.steps, self._running.cells.evaluated

    def limit(self, limit_tokens: int | None) -> int:
        """The longest conversation that a request may become."""
        return min(self.weights.limit(limit_tokens), self._running.most)

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Turn a conversation into token ids; text is never read as a control token."""
        return self.weights.prompt_tokens(messages)

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer."""
        return window.fits(prompt_tokens, max_tokens, self.limit(limit_tokens))

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Stop = never,
        limit_tokens: int | None = None,
        adapters: Adapters = (),
    ) -> Iterator[Chunk]:
        """Complete a conversation token by token, with adapters; thinking is left out.

        Raises:
            ContextTooLong: The prompt leaves no room for an answer.
            BadGrammar: The answer's grammar cannot be used.
            EngineBusy: As many wait already as may.
        """
        heard: Heard = SimpleQueue()
        request = self.submit(messages, sampling, heard.put, adapters, limit_tokens)
        return without_thinking(chunks_of(heard, lambda: self.leave(request), stop))

    def submit(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        hear: Hear,
        adapters: Adapters = (),
        limit_tokens: int | None = None,
    ) -> Request:
        """Ask for an answer: an empty chunk is heard at once, all others in the thread that decodes.

        Raises:
            ContextTooLong: The prompt leaves no room for an answer.
            BadGrammar: The answer's grammar cannot be used.
            EngineBusy: As many wait already as may.
        """
        tokens = self.prompt_tokens(messages)
        max_tokens = window.answer_tokens(len(tokens), sampling.max_tokens, self.limit(limit_tokens))
        writing = Writing(self.weights, sampling, max_tokens)
        return self._queue.join(tokens, len(tokens) + max_tokens, adapters, writing, hear)

    def leave(self, request: Request) -> None:
        """Nobody waits for an answer any more: it ends with the next step."""
        request.is_left = True
