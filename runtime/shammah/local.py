"""The local model and the embedder: the one file that knows llama.cpp.

The C interface is called directly: it alone lets us build prompts from token ids, read logits without a
copy, and stop in the middle of a prompt. One `LocalModel` belongs to one thread: four threads on one context
abort the process.
"""

import codecs
import ctypes
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp as ll
import numpy as np
from numpy.typing import NDArray

from shammah.errors import BadModel, ContextTooLong, Interrupted, ModelMissing
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
from shammah_convert.chat import IM_END, IM_START, ChatFormat, Control, Message, Segment, prompt_segments

ALL_LAYERS = 999
BATCH_TOKENS = 512
# llama.cpp's own attention kernels want a multiple of 256; a prompt between two sizes fails otherwise.
CONTEXT_STEP = 256
SMALLEST_ANSWER_TOKENS = 128
EMBEDDER_TOKENS = 256
# Of a long text so many windows are read, evenly spread: 0.1 s in all.
MOST_WINDOWS = 16
DECODE_ABORTED = 2
ERROR_LEVEL = 4  # of ggml_log_level in ggml.h; the bindings do not export it
ARCHITECTURES = ("qwen2", "qwen3")

_native_errors: list[str] = []


@ll.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_errors(level: int, text: bytes, _data: object) -> None:
    if level == ERROR_LEVEL:
        _native_errors.append(text.decode("utf-8", "replace").strip())
        del _native_errors[:-4]


def _start_engine() -> None:
    """Silence the native chatter before anything loads; calling it again does nothing new."""
    ll.llama_log_set(_keep_errors, ctypes.c_void_p())
    ll.llama_backend_init()


def can_offload() -> bool:
    """Whether the installed llama.cpp was built for a GPU that is there."""
    _start_engine()
    return bool(ll.llama_supports_gpu_offload())


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

    def close(self) -> None:
        """Give back all native memory; the model cannot be used afterwards."""
        if self._context:
            ll.llama_free(self._context)
        if self._model:
            ll.llama_model_free(self._model)
        self._context = self._model = None

    def __enter__(self) -> "LocalModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        sampler = _Sampler(sampling, self._n_vocabulary)
        if not self._evaluate(tokens, stop):
            finish, max_tokens = Finish.INTERRUPTED, 0
        while written < max_tokens:
            token, logprob = sampler.choose(self._read_logits())
            written += 1
            if self._is_end(token):
                finish = Finish.STOP
                break
            yield Chunk(decoder.decode(self._piece(token)), logprob)
            if stop():
                finish = Finish.INTERRUPTED
                break
            if written < max_tokens:
                self._decode([token])
        yield Chunk(decoder.decode(b"", final=True), end=End(finish, len(tokens), written))

    def _load(self, path: Path, gpu_layers: int | None, stop: Stop) -> Any:
        if not path.is_file():
            raise ModelMissing(f"there is no model at {path}")
        _start_engine()
        wanted = gpu_layers if gpu_layers is not None else ALL_LAYERS if can_offload() else 0
        # A GPU that is too small for an automatic offload is no reason to give up.
        for layers in dict.fromkeys((wanted, wanted if gpu_layers is not None else 0)):
            parameters = ll.llama_model_default_params()
            parameters.n_gpu_layers = layers
            parameters.progress_callback = ll.llama_progress_callback(lambda _share, _data: not stop())
            model = ll.llama_model_load_from_file(os.fsencode(path), parameters)
            if model:
                self.gpu_layers = min(layers, ll.llama_model_n_layer(model) + 1)
                return model
            if stop():
                raise Interrupted("interrupted while the model was loaded")
        raise BadModel(f"llama.cpp cannot load {path}: {'; '.join(_native_errors) or 'it does not say why'}")

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
        return [token for segment in segments for token in _tokenize(self._vocabulary, segment)]

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
        self._context = _new_context(self._model, size, self.threads, is_embedder=False)
        self.context_tokens = size

    def _evaluate(self, tokens: Sequence[int], stop: Stop) -> bool:
        """Read a prompt into an empty cache, stopping within a step when asked; False when stopped.

        The callback runs between the nodes of the graph (some 700 a step at 0.5B), so it is set for prompts
        only: in decoding it would cost 3%.
        """
        ll.llama_memory_clear(ll.llama_get_memory(self._context), True)
        callback = ll.ggml_abort_callback(lambda _: stop())
        ll.llama_set_abort_callback(self._context, callback, None)
        try:
            steps = (tokens[i : i + BATCH_TOKENS] for i in range(0, len(tokens), BATCH_TOKENS))
            return all(not stop() and self._decode(step) for step in steps)
        finally:
            ll.llama_set_abort_callback(self._context, ll.ggml_abort_callback(), None)

    def _decode(self, tokens: Sequence[int]) -> bool:
        array = (ll.llama_token * len(tokens))(*tokens)
        code = ll.llama_decode(self._context, ll.llama_batch_get_one(array, len(tokens)))
        if code not in (0, DECODE_ABORTED):
            raise BadModel(f"llama.cpp failed to decode (code {code}): {'; '.join(_native_errors)}")
        return bool(code == 0)

    def _read_logits(self) -> NDArray[np.float32]:
        """A view of the last token's logits, (vocabulary,), valid until the next decode."""
        pointer = ll.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._n_vocabulary,))

    def _is_end(self, token: int) -> bool:
        return token in self._ends or bool(ll.llama_vocab_is_eog(self._vocabulary, token))

    def _piece(self, token: int) -> bytes:
        """The bytes that a token stands for; control tokens are silent, but for thinking marks."""
        buffer = ctypes.create_string_buffer(64)
        is_visible = token in self._visible_controls
        size = ll.llama_token_to_piece(self._vocabulary, token, buffer, 64, 0, is_visible)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = ll.llama_token_to_piece(self._vocabulary, token, buffer, -size, 0, is_visible)
        return buffer.raw[:size]


class _Sampler:
    """Chooses a token and says how probable the model found it, before any temperature."""

    def __init__(self, sampling: Sampling, n_vocabulary: int) -> None:
        self._temperature = sampling.temperature
        # numpy.random takes 9 ms to import, and greedy answers never need it.
        self._random = np.random.default_rng(sampling.seed) if sampling.temperature > 0 else None
        self._shifted = np.empty(n_vocabulary, dtype=np.float32)
        self._powers = np.empty(n_vocabulary, dtype=np.float32)

    def choose(self, logits: NDArray[np.float32]) -> tuple[int, float]:
        """The next token and its natural log-probability; logits have shape (vocabulary,)."""
        token = best = int(logits.argmax())
        np.subtract(logits, logits[best], out=self._shifted)
        log_total = math.log(np.exp(self._shifted, out=self._powers).sum())
        if self._random is not None:
            # Gumbel's trick: the argmax of noisy logits is a draw from their softmax.
            noise = self._random.gumbel(size=logits.shape)
            token = int((self._shifted / self._temperature + noise).argmax())
        return token, float(self._shifted[token]) - log_total


class Embedder:
    """A sentence embedder (MiniLM) in GGUF, on one thread: a second one only makes it wait at barriers."""

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            BadModel: llama.cpp cannot load it.
        """
        _start_engine()
        parameters = ll.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self._model = ll.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise BadModel(f"llama.cpp cannot load the embedder {path}", hint=f"Delete {path}; it is made again.")
        self._vocabulary = ll.llama_model_get_vocab(self._model)
        self._context = _new_context(self._model, EMBEDDER_TOKENS, threads=1, is_embedder=True)
        self.width = ll.llama_model_n_embd(self._model)

    def embed(self, text: str) -> NDArray[np.float32]:
        """The text's direction: unit length, shape (width,). Longer texts are the mean of their windows."""
        tokens = _tokenize(self._vocabulary, text)
        inner = EMBEDDER_TOKENS - 2
        windows = [tokens[i : i + inner] for i in range(0, max(1, len(tokens)), inner)]
        windows = windows[:: -(-len(windows) // MOST_WINDOWS)]
        total = np.sum([self._embed_window(window) * max(1, len(window)) for window in windows], axis=0)
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), dtype=np.float32)

    def close(self) -> None:
        """Give back all native memory."""
        if self._model:
            ll.llama_free(self._context)
            ll.llama_model_free(self._model)
        self._model = self._context = None

    def _embed_window(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        row = [ll.llama_vocab_bos(self._vocabulary), *tokens, ll.llama_vocab_sep(self._vocabulary)]
        array = (ll.llama_token * len(row))(*row)
        ll.llama_memory_clear(ll.llama_get_memory(self._context), True)
        if ll.llama_encode(self._context, ll.llama_batch_get_one(array, len(row))) != 0:
            raise BadModel(f"the embedder failed: {'; '.join(_native_errors)}")
        vector = np.ctypeslib.as_array(ll.llama_get_embeddings_seq(self._context, 0), shape=(self.width,))
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)


def _tokenize(vocabulary: Any, segment: Segment) -> list[int]:
    is_control = isinstance(segment, Control)
    data = (segment.token if isinstance(segment, Control) else segment).encode("utf-8", "surrogatepass")
    tokens = (ll.llama_token * (len(data) + 2))()
    count = ll.llama_tokenize(vocabulary, data, len(data), tokens, len(tokens), False, is_control)
    assert count >= 0, f"{-count} tokens from {len(data)} bytes"
    return list(tokens[:count])


def _new_context(model: Any, tokens: int, threads: int, is_embedder: bool) -> Any:
    parameters = ll.llama_context_default_params()
    parameters.n_ctx = tokens
    parameters.n_batch = parameters.n_ubatch = min(tokens, BATCH_TOKENS)
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.embeddings = is_embedder
    parameters.no_perf = True
    if is_embedder:
        parameters.pooling_type = ll.LLAMA_POOLING_TYPE_MEAN
    context = ll.llama_init_from_model(model, parameters)
    if not context:
        raise BadModel(
            f"there is no room for a context of {tokens:,} tokens: {'; '.join(_native_errors)}",
            hint="Close other programs, lower `model.context_tokens`, or use a smaller model.",
        )
    return context
