"""A native context whose cells hold several rows of tokens; what rows begin with in common is there once."""

import ctypes
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp as ll
import numpy as np
from numpy.typing import NDArray

from shammah.errors import BadModel
from shammah.generation import Stop, never
from shammah.local.native import BATCH_TOKENS, native_errors, new_context
from shammah.local.weights import Weights

DECODE_ABORTED = 2


@dataclass(frozen=True, slots=True)
class Part:
    """What one row gets in a step.

    Attributes:
        row: Which.
        tokens: They go behind what the row holds.
        has_logits: Whether the logits after the last of them are wanted.
    """

    row: int
    tokens: tuple[int, ...]
    has_logits: bool


class Cells:
    """A native context with several rows (llama.cpp's sequences).

    Attributes:
        size: Tokens that it holds, what is shared counted once.
        steps: How often it has decoded.
        evaluated: Tokens that it has decoded.
    """

    def __init__(self, weights: Weights, size: int, rows: int, threads: int) -> None:
        """Open a context.

        Raises:
            BadModel: There is no memory for it.
        """
        self.native: Any = new_context(weights.native, size, threads, is_embedder=False, rows=rows)
        self.size = size
        self.steps = self.evaluated = 0
        self._memory = ll.llama_get_memory(self.native)
        self._tokens: list[list[int]] = [[] for _ in range(rows)]
        # Which cell holds each token of a row: a number that is never given again.
        self._held: list[list[int]] = [[] for _ in range(rows)]
        self._numbers = itertools.count()
        self._batch = _Batch()
        self._n_vocabulary = weights.n_vocabulary
        self._views: dict[int, NDArray[np.float32]] = {}

    def close(self) -> None:
        """Give back its memory."""
        if self.native:
            ll.llama_free(self.native)
        self.native = None

    def tokens(self, row: int) -> Sequence[int]:
        """What a row holds."""
        return self._tokens[row]

    def used(self, spans: Iterable[tuple[int, int]]) -> int:
        """Cells that hold the first tokens of rows, so many of each."""
        return len(set[int]().union(*(self._held[row][:count] for row, count in spans)))

    def clear(self) -> None:
        """Empty all rows."""
        ll.llama_memory_clear(self._memory, True)
        for row in range(len(self._tokens)):
            self._forget(row, 0)

    def cut(self, row: int, count: int) -> None:
        """Keep the first tokens of a row alone."""
        if count < len(self._tokens[row]):
            ll.llama_memory_seq_rm(self._memory, row, count, -1)
            self._forget(row, count)

    def share(self, source: int, target: int, count: int) -> None:
        """Let a row begin with the first tokens of another, in the same cells, and hold nothing else."""
        self.cut(target, 0)
        ll.llama_memory_seq_cp(self._memory, source, target, 0, count)
        self._tokens[target] = self._tokens[source][:count]
        self._held[target] = self._held[source][:count]

    def set_threads(self, threads: int) -> None:
        """Decode with so many threads from now on."""
        ll.llama_set_n_threads(self.native, threads, threads)

    def decode(self, parts: Sequence[Part], stop: Stop = never) -> list[NDArray[np.float32]] | None:
        """Evaluate tokens of several rows in one step.

        Args:
            parts: Of different rows, `BATCH_TOKENS` in all at most.
            stop: Asked within the step.

        Returns:
            Views of the logits that were wanted, (vocabulary,) each, valid until the next step; None where it was
            stopped, and every row is as it was.

        Raises:
            BadModel: llama.cpp cannot do it.
        """
        for part in parts:
            self._batch.add(part, start=len(self._tokens[part.row]))
        places, code = self._batch.places, self._run(stop)
        if code == DECODE_ABORTED:
            return None
        if code != 0:
            raise BadModel(f"llama.cpp failed to decode (code {code}): {'; '.join(native_errors)}")
        self.steps += 1
        self.evaluated += sum(len(part.tokens) for part in parts)
        for part in parts:
            self._tokens[part.row] += part.tokens
            self._held[part.row] += itertools.islice(self._numbers, len(part.tokens))
        return [self._logits(place) for place in places]

    def _run(self, stop: Stop) -> int:
        batch = self._batch.take()
        if stop is never:
            return int(ll.llama_decode(self.native, batch))
        callback = ll.ggml_abort_callback(lambda _: stop())
        ll.llama_set_abort_callback(self.native, callback, None)
        try:
            return int(ll.llama_decode(self.native, batch))
        finally:
            ll.llama_set_abort_callback(self.native, ll.ggml_abort_callback(), None)

    def _logits(self, place: int) -> NDArray[np.float32]:
        pointer = ll.llama_get_logits_ith(self.native, place)
        address = ctypes.addressof(pointer.contents)
        if address not in self._views:  # llama.cpp keeps its buffer, and a new view takes 3 us
            self._views[address] = np.ctypeslib.as_array(pointer, shape=(self._n_vocabulary,))
        return self._views[address]

    def _forget(self, row: int, count: int) -> None:
        del self._tokens[row][count:], self._held[row][count:]


class _Batch:
    """A `llama_batch` over arrays that are filled anew for each step."""

    def __init__(self) -> None:
        self._tokens = np.zeros(BATCH_TOKENS, np.int32)
        self._positions = np.zeros(BATCH_TOKENS, np.int32)
        self._rows = np.zeros(BATCH_TOKENS, np.int32)
        self._ones = np.ones(BATCH_TOKENS, np.int32)
        self._wanted = np.zeros(BATCH_TOKENS, np.int8)
        # Each token has a list of rows: of one, and the addresses never change.
        addresses = self._rows.ctypes.data + self._rows.itemsize * np.arange(BATCH_TOKENS, dtype=np.uint64)
        self._lists = addresses.astype(np.uint64)
        self._count = 0
        self.places: list[int] = []

    def add(self, part: Part, start: int) -> None:
        """Put a row's tokens behind what is there, from a position on."""
        begin, end = self._count, self._count + len(part.tokens)
        assert end <= BATCH_TOKENS, f"{end} tokens are no batch"
        self._tokens[begin:end] = part.tokens
        self._positions[begin:end] = range(start, start + len(part.tokens))
        self._rows[begin:end] = part.row
        self._wanted[begin:end] = 0
        if part.has_logits:
            self._wanted[end - 1] = 1
            self.places.append(end - 1)
        self._count = end

    def take(self) -> Any:
        """The batch that was put together; the next one begins empty."""
        batch = ll.llama_batch(
            n_tokens=self._count,
            token=self._tokens.ctypes.data_as(ctypes.POINTER(ll.llama_token)),
            pos=self._positions.ctypes.data_as(ctypes.POINTER(ll.llama_pos)),
            n_seq_id=self._ones.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._lists.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(ll.llama_seq_id))),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        self._count, self.places = 0, []
        return batch
