"""llama.cpp's C interface, as far as models and embedder share it: the engine, contexts, token ids, adapters."""

import ctypes
import os
from collections.abc import Mapping
from typing import Any

import llama_cpp as ll

from shammah.errors import BadModel
from shammah_convert.chat import Control, Segment
from shammah_convert.job import AdapterFile

BATCH_TOKENS = 512
ERROR_LEVEL = 4  # of ggml_log_level in ggml.h; the bindings do not export it

native_errors: list[str] = []
"""The last words of llama.cpp, for our own errors."""


@ll.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_errors(level: int, text: bytes, _data: object) -> None:
    if level == ERROR_LEVEL:
        native_errors.append(text.decode("utf-8", "replace").strip())
        del native_errors[:-4]


def start_engine() -> None:
    """Silence the native chatter before anything loads; calling it again does nothing new."""
    # A native assertion calls a debugger for its backtrace, where there is one: seconds that somebody waits.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    ll.llama_log_set(_keep_errors, ctypes.c_void_p())
    ll.llama_backend_init()


def can_offload() -> bool:
    """Whether the installed llama.cpp was built for a GPU that is there."""
    start_engine()
    return bool(ll.llama_supports_gpu_offload())


def tokenize(vocabulary: Any, segment: Segment) -> list[int]:
    """Token ids of a segment; text is never read as a control token."""
    is_control = isinstance(segment, Control)
    data = (segment.token if isinstance(segment, Control) else segment).encode("utf-8", "surrogatepass")
    tokens = (ll.llama_token * (len(data) + 2))()
    count = ll.llama_tokenize(vocabulary, data, len(data), tokens, len(tokens), False, is_control)
    assert count >= 0, f"{-count} tokens from {len(data)} bytes"
    return list(tokens[:count])


def set_adapters(context: Any, adapters: Mapping[AdapterFile, Any]) -> None:
    """Apply exactly these adapters, loaded as they are; none of them detaches all."""
    count = len(adapters)
    scales = (ctypes.c_float * count)(*(file.scale for file in adapters))
    ll.llama_set_adapters_lora(context, (ll.llama_adapter_lora_p_ctypes * count)(*adapters.values()), count, scales)


def new_context(model: Any, tokens: int, threads: int, is_embedder: bool, rows: int = 1) -> Any:
    """Open a context that holds so many tokens, of so many rows of them.

    Raises:
        BadModel: There is no memory for it.
    """
    parameters = ll.llama_context_default_params()
    parameters.n_ctx = tokens
    parameters.n_batch = parameters.n_ubatch = min(tokens, BATCH_TOKENS)
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.embeddings = is_embedder
    parameters.no_perf = True
    if rows > 1:
        parameters.n_seq_max = rows
        parameters.kv_unified = True  # all rows in one cache: what they have in common is there once
        parameters.n_outputs_max = rows  # of a step; the default keeps room for logits after each of its 512 tokens
    if is_embedder:
        parameters.pooling_type = ll.LLAMA_POOLING_TYPE_MEAN
    context = ll.llama_init_from_model(model, parameters)
    if not context:
        raise BadModel(
            f"there is no room for a context of {tokens:,} tokens: {'; '.join(native_errors)}",
            hint="Close other programs, lower `model.context_tokens`, or use a smaller model.",
        )
    return context
