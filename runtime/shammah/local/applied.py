"""The adapters that are applied to a model, and how they are swapped."""

import os
from collections.abc import Sequence
from typing import Any

import llama_cpp as ll

from shammah.errors import AdapterUnreadable
from shammah.local.native import native_errors, set_adapters
from shammah.local.weights import Weights
from shammah_convert.job import AdapterFile


class Applied:
    """The adapters that are applied to a model: loaded, and set in its context."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._loaded: dict[AdapterFile, Any] = {}

    @property
    def files(self) -> tuple[AdapterFile, ...]:
        """What is applied, in order."""
        return tuple(self._loaded)

    @property
    def names(self) -> tuple[tuple[str, float], ...]:
        """What is applied, as an answer records it."""
        return tuple((file.name, file.scale) for file in self._loaded)

    def swap(self, files: Sequence[AdapterFile], context: Any) -> bool:
        """Apply these and no others, also to the context that is open, whose cache is cleared; False where they are.

        Raises:
            AdapterUnreadable: llama.cpp refuses a file; what was applied stays applied.
        """
        if tuple(files) == self.files:
            return False
        loaded = self._load(files)
        # In this order: freeing an adapter that is set crashes, and a cache that another one filled gives answers
        # that are neither's, because the prefix match looks at token ids alone.
        if context:
            set_adapters(context, {})
            ll.llama_memory_clear(ll.llama_get_memory(context), True)
        self._free([file for file in self._loaded if file not in loaded])
        self._loaded = loaded
        self.attach(context)
        return True

    def attach(self, context: Any) -> None:
        """Set what is applied in a context that was just opened."""
        if context:
            set_adapters(context, self._loaded)

    def close(self) -> None:
        """Give back their memory; no context may be open."""
        self._free(list(self._loaded))

    def _load(self, files: Sequence[AdapterFile]) -> dict[AdapterFile, Any]:
        loaded: dict[AdapterFile, Any] = {}
        for file in files:
            native = self._loaded.get(file) or ll.llama_adapter_lora_init(self._weights.native, os.fsencode(file.path))
            if not native:  # the bindings compare with None, and a refused adapter is a null pointer
                for fresh in set(loaded) - set(self._loaded):
                    ll.llama_adapter_lora_free(loaded[fresh])
                raise AdapterUnreadable(f"llama.cpp refuses {file.path}: {'; '.join(native_errors)}")
            loaded[file] = native
        return loaded

    def _free(self, files: Sequence[AdapterFile]) -> None:
        for file in files:
            ll.llama_adapter_lora_free(self._loaded.pop(file))
