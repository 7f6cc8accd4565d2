"""The sentence embedder, through llama.cpp."""

import os
from collections.abc import Sequence
from pathlib import Path

import llama_cpp as ll
import numpy as np
from numpy.typing import NDArray

from shammah.errors import BadModel
from shammah.local.native import native_errors, new_context, start_engine, tokenize

EMBEDDER_TOKENS = 256
# Of a long text so many windows are read, evenly spread: 0.1 s in all.
MOST_WINDOWS = 16


class Embedder:
    """A sentence embedder (MiniLM) in GGUF, on one thread: a second one only makes it wait at barriers."""

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            BadModel: llama.cpp cannot load it.
        """
        start_engine()
        parameters = ll.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self._model = ll.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise BadModel(f"llama.cpp cannot load the embedder {path}", hint=f"Delete {path}; it is made again.")
        self._vocabulary = ll.llama_model_get_vocab(self._model)
        self._context = new_context(self._model, EMBEDDER_TOKENS, threads=1, is_embedder=True)
        self.width = ll.llama_model_n_embd(self._model)

    def embed(self, text: str) -> NDArray[np.float32]:
        """The text's direction: unit length, shape (width,). Longer texts are the mean of their windows."""
        tokens = tokenize(self._vocabulary, text)
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
            raise BadModel(f"the embedder failed: {'; '.join(native_errors)}")
        vector = np.ctypeslib.as_array(ll.llama_get_embeddings_seq(self._context, 0), shape=(self.width,))
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)
