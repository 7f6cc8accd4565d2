"""A GGUF Qwen, open for one conversation at a time."""

import codecs
import ctypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp as ll
import numpy as np
from numpy.typing import NDArray

from shammah.errors import AdapterUnreadable, BadModel, ContextTooLong, Interrupted, ModelMissing
from shammah.generation import (
    THINK_CLOSE,
    THINK_OPEN,
    Chunk,
    End,
    Finish,
    Sampling,
    Stop,
    never,
    without_thinking,
)
from shammah.local.native import (
    BATCH_TOKENS,
    can_offload,
    native_errors,
    new_context,
    set_adapters,
    start_engine,
    tokenize,
)
from shammah.local.powers import powers
from shammah.sampler import Sampler
from shammah_convert.chat import IM_END, IM_START, ChatFormat, Control, Message, Segment, prompt_segments
from shammah_convert.job import AdapterFile

ALL_LAYERS = 999
# llama.cpp's own attention kernels want a multiple of 256; a prompt between two sizes fails otherwise.
CONTEXT_STEP = 256
SMALLEST_ANSWER_TOKENS = 128
DECODE_ABORTED = 2
ARCHITECTURES = ("qwen2", "qwen3")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model file says of itself.

    Attributes:
        context_tokens: The context it was trained for.
        size_bytes: Of its tensors.
    """

    architecture: str
    name: str
    context_tokens: int
    parameters: int
    size_bytes: int
    layers: int


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
        self._model = None
        self._context: Any = None
        self._adapters: dict[AdapterFile, Any] = {}
        self._pieces: dict[int, bytes | None] = {}
        self._logits_address = 0
        self._logits: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self.context_tokens = 0
        self.threads = threads
        self.gpu_layers = 0
        self._model = self._load(path, gpu_layers, stop)
        self._vocabulary = ll.llama_model_get_vocab(self._model)
        self.facts = self._read_facts(path)
        self._format = ChatFormat.of(self.facts.architecture, self._text("tokenizer.chat_template"))
        self._ends = self._tokenize(Control(IM_END))
        if len(self._ends) != 1 or len(self._tokenize(Control(IM_START))) != 1:
            self.close()
            raise BadModel(f"{path} does not speak ChatML: it has no {IM_START} and {IM_END} tokens")
        self._visible_controls = {self._tokenize(Control(mark))[0] for mark in (THINK_OPEN, THINK_CLOSE)}
        self._n_vocabulary = ll.llama_vocab_n_tokens(self._vocabulary)
        self._powers = powers(self._n_vocabulary)

    def close(self) -> None:
        """Give back all native memory; the model cannot be used afterwards."""
        if self._context:
            ll.llama_free(self._context)
        self._context = None
        self._free(list(self._adapters))
        if self._model:
            ll.llama_model_free(self._model)
        self._model = None

    def __enter__(self) -> "LocalModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def applied(self) -> tuple[AdapterFile, ...]:
        """What is applied to the base, in order."""
        return tuple(self._adapters)

    def apply(self, adapters: Sequence[AdapterFile]) -> None:
        """Make these the applied adapters, without a reload of the base.

        Raises:
            AdapterUnreadable: llama.cpp refuses a file; what was applied stays applied.
        """
        if tuple(adapters) == self.applied:
            return
        loaded = self._load_adapters(adapters)
        # In this order: freeing an adapter that is set crashes, and a cache that another one filled gives answers
        # that are neither's, because the prefix match looks at token ids alone.
        if self._context:
            set_adapters(self._context, {})
            ll.llama_memory_clear(ll.llama_get_memory(self._context), True)
        self._free([file for file in self._adapters if file not in loaded])
        self._adapters = loaded
        if self._context:
            set_adapters(self._context, loaded)

    def _load_adapters(self, adapters: Sequence[AdapterFile]) -> dict[AdapterFile, Any]:
        loaded: dict[AdapterFile, Any] = {}
        for file in adapters:
            native = self._adapters.get(file) or ll.llama_adapter_lora_init(self._model, os.fsencode(file.path))
            if not native:  # the bindings compare with None, and a refused adapter is a null pointer
                for fresh in set(loaded) - set(self._adapters):
                    ll.llama_adapter_lora_free(loaded[fresh])
                raise AdapterUnreadable(f"llama.cpp refuses {file.path}: {'; '.join(native_errors)}")
            loaded[file] = native
        return loaded

    def _free(self, files: Sequence[AdapterFile]) -> None:
        for file in files:
            ll.llama_adapter_lora_free(self._adapters.pop(file))

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Turn a conversation into token ids; text is never read as a control token."""
        return self._tokenize(*prompt_segments(messages, self._format))

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer in the model's context, or in a smaller limit."""
        return prompt_tokens + min(max_tokens, SMALLEST_ANSWER_TOKENS) <= self._limit(limit_tokens)

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
        """
        tokens = self.prompt_tokens(messages)
        if not self.fits(len(tokens), sampling.max_tokens, limit_tokens):
            raise ContextTooLong(
                f"the question takes {len(tokens):,} tokens and the context holds {self._limit(limit_tokens):,}"
            )
        return without_thinking(self._complete(tokens, sampling, stop, self._limit(limit_tokens)))

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The next-token logits after a row of tokens, of shape (vocabulary,)."""
        self._make_room(len(tokens) + 1)
        self._evaluate(tokens, never)
        return self._read_logits().copy()

    def _complete(self, tokens: list[int], sampling: Sampling, stop: Stop, limit: int) -> Iterator[Chunk]:
        max_tokens = min(sampling.max_tokens, limit - len(tokens))
        self._make_room(len(tokens) + max_tokens)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        finish, written = Finish.LENGTH, 0
        sampler = Sampler(sampling, self._powers)
        if not self._evaluate(tokens, stop):
            finish, max_tokens = Finish.INTERRUPTED, 0
        while written < max_tokens:
            token, logprob = sampler.choose(self._read_logits())
            written += 1
            piece = self._piece(token)
            if piece is None:
                finish = Finish.STOP
                break
            yield Chunk(decoder.decode(piece), logprob)
            if stop():
                finish = Finish.INTERRUPTED
                break
            if written < max_tokens:
                self._decode([token])
        applied = tuple((file.name, file.scale) for file in self._adapters)
        end = End(finish, len(tokens), written, adapters=applied)
        yield Chunk(decoder.decode(b"", final=True), end=end)

    def _load(self, path: Path, gpu_layers: int | None, stop: Stop) -> Any:
        if not path.is_file():
            raise ModelMissing(f"there is no model at {path}")
        start_engine()
        wanted = gpu_layers if gpu_layers is not None else ALL_LAYERS if can_offload() else 0
        # A GPU that is too small for an automatic offload is no reason to give up.
        for layers in dict.fromkeys((wanted, wanted if gpu_layers is not None else 0)):
            parameters = ll.llama_model_default_params()
            parameters.n_gpu_layers = layers
            if stop is not never:  # Ctrl-C inside a callback is lost: where nobody asks, there is none
                parameters.progress_callback = ll.llama_progress_callback(lambda _share, _data: not stop())
            model = ll.llama_model_load_from_file(os.fsencode(path), parameters)
            if model:
                self.gpu_layers = min(layers, ll.llama_model_n_layer(model) + 1)
                return model
            if stop():
                raise Interrupted("interrupted while the model was loaded")
        raise BadModel(f"llama.cpp cannot load {path}: {'; '.join(native_errors) or 'it does not say why'}")

    def _read_facts(self, path: Path) -> Facts:
        architecture = self._text("general.architecture")
        if architecture not in ARCHITECTURES:
            self.close()
            raise BadModel(f"{path} is of architecture {architecture!r}, not one of {', '.join(ARCHITECTURES)}")
        return Facts(
            architecture=architecture,
            name=self._text("general.name") or path.stem,
            context_tokens=ll.llama_model_n_ctx_train(self._model),
            parameters=ll.llama_model_n_params(self._model),
            size_bytes=ll.llama_model_size(self._model),
            layers=ll.llama_model_n_layer(self._model),
        )

    def _text(self, key: str) -> str:
        """A metadata value; empty where the file has none."""
        size = ll.llama_model_meta_val_str(self._model, key.encode(), ctypes.create_string_buffer(1), 1)
        if size < 0:
            return ""
        buffer = ctypes.create_string_buffer(size + 1)
        ll.llama_model_meta_val_str(self._model, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    def _tokenize(self, *segments: Segment) -> list[int]:
        return [token for segment in segments for token in tokenize(self._vocabulary, segment)]

    def _limit(self, limit_tokens: int | None) -> int:
        trained = self.facts.context_tokens
        return min(trained, limit_tokens) if limit_tokens else trained

    def _make_room(self, tokens: int) -> None:
        """Open a context that holds so many tokens; the old one is kept where it is large enough."""
        if self._context and self.context_tokens >= tokens:
            return
        if self._context:
            ll.llama_free(self._context)
            self._context, self.context_tokens = None, 0
        size = -(-tokens // CONTEXT_STEP) * CONTEXT_STEP
        self._context = new_context(self._model, size, self.threads, is_embedder=False)
        self.context_tokens = size
        set_adapters(self._context, self._adapters)

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
            self._logits = np.ctypeslib.as_array(pointer, shape=(self._n_vocabulary,))
        return self._logits

    def _is_end(self, token: int) -> bool:
        return token in self._ends or bool(ll.llama_vocab_is_eog(self._vocabulary, token))

    def _piece(self, token: int) -> bytes | None:
        """The bytes that a token stands for, None where it ends the answer."""
        if token not in self._pieces:
            self._pieces[token] = None if self._is_end(token) else self._spell(token)
        return self._pieces[token]

    def _spell(self, token: int) -> bytes:
        """A token's bytes; control tokens are silent, but for thinking marks."""
        buffer = ctypes.create_string_buffer(64)
        is_visible = token in self._visible_controls
        size = ll.llama_token_to_piece(self._vocabulary, token, buffer, 64, 0, is_visible)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = ll.llama_token_to_piece(self._vocabulary, token, buffer, -size, 0, is_visible)
        return buffer.raw[:size]
