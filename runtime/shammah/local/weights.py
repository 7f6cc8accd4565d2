"""A GGUF Qwen as it lies on the disk: mapped, with its words and what it says of itself."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp as ll

from shammah.errors import BadModel, Interrupted, ModelMissing
from shammah.generation import THINK_CLOSE, THINK_OPEN, Facts, Stop, never
from shammah.local.native import can_offload, native_errors, start_engine, tokenize
from shammah.local.powers import powers
from shammah_convert.chat import IM_END, IM_START, ChatFormat, Control, Message, Segment, prompt_segments

ALL_LAYERS = 999
ARCHITECTURES = ("qwen2", "qwen3")


class Weights:
    """A GGUF Qwen's weights and vocabulary, which all contexts of it share."""

    def __init__(self, path: Path, gpu_layers: int | None = None, stop: Stop = never) -> None:
        """Map the file.

        Args:
            path: A GGUF file.
            gpu_layers: Layers to offload; None offloads all where llama.cpp can, and none where that fails.
            stop: Ends the loading early.

        Raises:
            ModelMissing: There is no such file.
            BadModel: llama.cpp cannot load it, or it is no Qwen2, Qwen2.5 or Qwen3.
            Interrupted: It was stopped.
        """
        self._pieces: dict[int, bytes | None] = {}
        self.gpu_layers = 0
        self.native: Any = self._load(path, gpu_layers, stop)
        self.vocabulary = ll.llama_model_get_vocab(self.native)
        self.facts = self._read_facts(path)
        self._format = ChatFormat.of(self.facts.architecture, self._text("tokenizer.chat_template"))
        self._ends = self.tokenize(Control(IM_END))
        if len(self._ends) != 1 or len(self.tokenize(Control(IM_START))) != 1:
            self.close()
            raise BadModel(f"{path} does not speak ChatML: it has no {IM_START} and {IM_END} tokens")
        self._visible_controls = {self.tokenize(Control(mark))[0] for mark in (THINK_OPEN, THINK_CLOSE)}
        self.n_vocabulary: int = ll.llama_vocab_n_tokens(self.vocabulary)
        self.powers = powers(self.n_vocabulary)

    def close(self) -> None:
        """Give back all native memory; every context of it is to be closed before."""
        if self.native:
            ll.llama_model_free(self.native)
        self.native = None

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Turn a conversation into token ids; text is never read as a control token."""
        return self.tokenize(*prompt_segments(messages, self._format))

    def tokenize(self, *segments: Segment) -> list[int]:
        """Token ids of segments, one after the other."""
        return [token for segment in segments for token in tokenize(self.vocabulary, segment)]

    def limit(self, limit_tokens: int | None) -> int:
        """The longest conversation, by what the model was trained for and what the caller allows."""
        trained = self.facts.context_tokens
        return min(trained, limit_tokens) if limit_tokens else trained

    def piece(self, token: int) -> bytes | None:
        """The bytes that a token stands for, None where it ends the answer."""
        if token not in self._pieces:
            self._pieces[token] = None if self._is_end(token) else self.spell(token)
        return self._pieces[token]

    def spell(self, token: int) -> bytes:
        """A token's bytes; control tokens are silent, but for thinking marks."""
        buffer = ctypes.create_string_buffer(64)
        is_visible = token in self._visible_controls
        size = ll.llama_token_to_piece(self.vocabulary, token, buffer, 64, 0, is_visible)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = ll.llama_token_to_piece(self.vocabulary, token, buffer, -size, 0, is_visible)
        return buffer.raw[:size]

    def _is_end(self, token: int) -> bool:
        return token in self._ends or bool(ll.llama_vocab_is_eog(self.vocabulary, token))

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
            context_tokens=ll.llama_model_n_ctx_train(self.native),
            parameters=ll.llama_model_n_params(self.native),
            size_bytes=ll.llama_model_size(self.native),
            layers=ll.llama_model_n_layer(self.native),
        )

    def _text(self, key: str) -> str:
        """A metadata value; empty where the file has none."""
        size = ll.llama_model_meta_val_str(self.native, key.encode(), ctypes.create_string_buffer(1), 1)
        if size < 0:
            return ""
        buffer = ctypes.create_string_buffer(size + 1)
        ll.llama_model_meta_val_str(self.native, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")
