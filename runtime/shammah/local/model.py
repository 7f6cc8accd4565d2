"""A GGUF Qwen, open for one conversation at a time."""

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp as ll
import numpy as np
from numpy.typing import NDArray

from shammah import window
from shammah.errors import BadModel
from shammah.generation import Chunk, Facts, Finish, Sampling, Stop, never, without_thinking
from shammah.local.applied import Applied
from shammah.local.native import BATCH_TOKENS, native_errors, new_context
from shammah.local.weights import Weights
from shammah.local.writing import Writing
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile

DECODE_ABORTED = 2


class LocalModel:
    """A GGUF Qwen, open for one conversation at a time."""

    def __init__(self, path: Path, threads: int = 1, gpu_layers: int | None = None, stop: Stop = never) -> None:
        """Map the file.

        Args:
            path: A GGUF file.
            threads: For prompts and decoding alike.
            gpu_layers: Layers to offload; None offloads all where llama.cpp can, and none where that fails.
            stop: Ends the loading early.

        Raises:
            ModelMissing: There is no such file.
            BadModel: llama.cpp cannot load it, or it is no Qwen2, Qwen2.5 or Qwen3.
            Interrupted: It was stopped.
        """
        self._context: Any = None
        self._logits_address = 0
        self._logits: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self.context_tokens = 0
        self.threads = threads
        self.weights = Weights(path, gpu_layers, stop)
        self._applied = Applied(self.weights)

    def close(self) -> None:
        """Give back all native memory; the model cannot be used afterwards."""
        if self._context:
            ll.llama_free(self._context)
        self._context = None
        self._applied.close()
        self.weights.close()

    def __enter__(self) -> "LocalModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def facts(self) -> Facts:
        """What the file says of itself."""
        return self.weights.facts

    @property
    def gpu_layers(self) -> int:
        """Layers that are offloaded."""
        return self.weights.gpu_layers

    @property
    def applied(self) -> tuple[AdapterFile, ...]:
        """What is applied to the base, in order."""
        return self._applied.files

    def apply(self, adapters: Sequence[AdapterFile]) -> None:
        """Make these the applied adapters, without a reload of the base.

        Raises:
            AdapterUnreadable: llama.cpp refuses a file; what was applied stays applied.
        """
        self._applied.swap(adapters, self._context)

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Turn a conversation into token ids; text is never read as a control token."""
        return self.weights.prompt_tokens(messages)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How long a prompt is, in tokens."""
        return len(self.prompt_tokens(messages))

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer in the model's context, or in a smaller limit."""
        return window.fits(prompt_tokens, max_tokens, self.weights.limit(limit_tokens))

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Stop = never,
        limit_tokens: int | None = None,
    ) -> Iterator[Chunk]:
        """Complete a conversation token by token; thinking is left out.

        Raises:
            ContextTooLong: The prompt leaves no room for an answer. Nothing is ever cut off it.
            BadGrammar: The answer's grammar cannot be used.
        """
        tokens = self.prompt_tokens(messages)
        max_tokens = window.answer_tokens(len(tokens), sampling.max_tokens, self.weights.limit(limit_tokens))
        writing = Writing(self.weights, sampling, max_tokens)
        return without_thinking(self._complete(tokens, writing, stop, len(tokens) + max_tokens))

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The next-token logits after a row of tokens, of shape (vocabulary,)."""
        self._make_room(len(tokens) + 1)
        self._evaluate(tokens, never)
        return self._read_logits().copy()

    def _complete(self, tokens: list[int], writing: Writing, stop: Stop, room: int) -> Iterator[Chunk]:
        self._make_room(room)
        interrupted = None if self._evaluate(tokens, stop) else Finish.INTERRUPTED
        while not (interrupted or writing.finish):
            chunk = writing.take(self._read_logits())
            if chunk is not None:
                yield chunk
                interrupted = Finish.INTERRUPTED if stop() else None
            if not (interrupted or writing.finish):
                self._decode([writing.token])
        yield writing.end(len(tokens), self._applied.names, interrupted)

    def _make_room(self, tokens: int) -> None:
        """Open a context that holds so many tokens; the old one is kept where it is large enough."""
        if self._context and self.context_tokens >= tokens:
            return
        if self._context:
            ll.llama_free(self._context)
            self._context, self.context_tokens = None, 0
        size = window.size_for(tokens)
        self._context = new_context(self.weights.native, size, self.threads, is_embedder=False)
        self.context_tokens = size
        self._applied.attach(self._context)

    def _evaluate(self, tokens: Sequence[int], stop: Stop) -> bool:
        """Read a prompt into an empty cache, stopping within a step when asked; False when stopped.

        The callback runs between the nodes of the graph (some 700 a step at 0.5B), so it is set for prompts
        only: in decoding it would cost 3%.
        """
        ll.llama_memory_clear(ll.llama_get_memory(self._context), True)
        steps = [tokens[i : i + BATCH_TOKENS] for i in range(0, len(tokens), BATCH_TOKENS)]
        if stop is never:
            return all(self._decode(step) for step in steps)
        callback = ll.ggml_abort_callback(lambda _: stop())
        ll.llama_set_abort_callback(self._context, callback, None)
        try:
            return all(not stop() and self._decode(step) for step in steps)
        finally:
            ll.llama_set_abort_callback(self._context, ll.ggml_abort_callback(), None)

    def _decode(self, tokens: Sequence[int]) -> bool:
        array = (ll.llama_token * len(tokens))(*tokens)
        code = ll.llama_decode(self._context, ll.llama_batch_get_one(array, len(tokens)))
        if code not in (0, DECODE_ABORTED):
            raise BadModel(f"llama.cpp failed to decode (code {code}): {'; '.join(native_errors)}")
        return bool(code == 0)

    def _read_logits(self) -> NDArray[np.float32]:
        """A view of the last token's logits, (vocabulary,), valid until the next decode."""
        pointer = ll.llama_get_logits_ith(self._context, -1)
        address = ctypes.addressof(pointer.contents)
        if address != self._logits_address:  # llama.cpp keeps its buffer, and a new view takes 3 us
            self._logits_address = address
            self._logits = np.ctypeslib.as_array(pointer, shape=(self.weights.n_vocabulary,))
        return self._logits
