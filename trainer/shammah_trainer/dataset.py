"""Examples as rows of token ids whose loss falls on the completion alone, drawn by weight, padded to batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from tokenizers import Tokenizer
from torch import Tensor

from shammah_convert.chat import ChatFormat, Control, Segment, completion_segments, prompt_segments
from shammah_convert.examples import Example

IGNORED = -100
"""The label of a token that no loss falls on, as torch's cross entropy and transformers have it."""

SPACE = "\u0120"
"""A space in a byte-level vocabulary."""

ENCODED_TEXTS = 8192
BATCH_TOKENS = 2048


class UnknownControl(ValueError):
    """The tokenizer lacks a control token of the chat format; the text names it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One example as token ids.

    Attributes:
        tokens: The prompt, then the completion.
        prompt_tokens: How many of them are the prompt's, which are never a target.
    """

    tokens: tuple[int, ...]
    prompt_tokens: int

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens before the completion."""
        return self.tokens[: self.prompt_tokens]

    @property
    def completion(self) -> tuple[int, ...]:
        """The tokens after the prompt."""
        return self.tokens[self.prompt_tokens :]

    @property
    def labels(self) -> tuple[int, ...]:
        """As long as `tokens`: the token itself in the completion, `IGNORED` in the prompt."""
        return (IGNORED,) * self.prompt_tokens + self.tokens[self.prompt_tokens :]

    def shortened(self, completion_tokens: int) -> "Row":
        """The same row with at most so many completion tokens."""
        return Row(self.tokens[: self.prompt_tokens + completion_tokens], self.prompt_tokens)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows side by side, padded on the right.

    Attributes:
        tokens: (rows, longest), int64.
        labels: (rows, longest), int64; `IGNORED` in prompts and padding.
        mask: (rows, longest), bool; False in padding.
    """

    tokens: Tensor
    labels: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(self.tokens.to(device), self.labels.to(device), self.mask.to(device))


class Encoder:
    """Turns segments into token ids; text is never read as a control token, as in the runtime."""

    def __init__(self, tokenizer: Tokenizer, chat_format: ChatFormat | None = None, is_shared: bool = True) -> None:
        """Take a tokenizer.

        Args:
            tokenizer: Of the `tokenizers` package; transformers has it as `backend_tokenizer`.
            chat_format: What the model's family adds to plain ChatML.
            is_shared: Whether somebody else uses the tokenizer, too.
        """
        # The setting below changes it. A copy of a large one takes 0.2 s.
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str()) if is_shared else tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        self._format = chat_format or ChatFormat()
        self._encode_text = lru_cache(ENCODED_TEXTS)(self._encode)

    def tokens(self, segments: Iterable[Segment]) -> list[int]:
        """Encode segments one by one, so that no token spans a border between them.

        Raises:
            UnknownControl: The tokenizer lacks a control token.
        """
        return [token for segment in segments for token in self._encode_text(segment)]

    def row(self, example: Example) -> Row:
        """Encode an example.

        Raises:
            UnknownControl: The tokenizer lacks a control token.
        """
        prompt = self.tokens(prompt_segments(example.prompt, self._format))
        completion = self.tokens(completion_segments(example.completion[0].content))
        return Row((*prompt, *completion), len(prompt))

    def rejected_row(self, example: Example) -> Row | None:
        """The same prompt with the answer that was rejected; None where none was, or it is the one that is wanted.

        Raises:
            UnknownControl: The tokenizer lacks a control token.
        """
        if not example.rejected or example.rejected == example.completion:
            return None
        return self.row(replace(example, completion=example.rejected))

    def words(self) -> dict[str, int]:
        """Every token that is a whole lower-case word with a space before it, by the word, in the order of ids."""
        found = {}
        # The vocabulary comes as a hash table, in another order in each process.
        for token, id in sorted(self._tokenizer.get_vocab().items(), key=lambda entry: entry[1]):
            if token.startswith(SPACE):
                word = token[1:] if token[1:].isascii() else self._tokenizer.decode([id])[1:]
                if word.isalpha() and word.islower():
                    found[word] = id
        return found

    def _encode(self, segment: Segment) -> tuple[int, ...]:
        if isinstance(segment, Control):
            token = self._tokenizer.token_to_id(segment.token)
            if token is None:
                raise UnknownControl(f"the tokenizer has no token {segment.token}")
            return (token,)
        return tuple(self._tokenizer.encode(segment, add_special_tokens=False).ids)


def collate(rows: Sequence[Row], padding: int, multiple: int = 1) -> Batch:
    """Pad rows on the right to the longest of them, or to the next multiple of a length.

    Few different lengths keep torch's CPU kernels from caching one set of buffers for each.
    """
    longest = -(-max(len(row.tokens) for row in rows) // multiple) * multiple
    tokens = torch.full((len(rows), longest), padding)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.bool)
    for index, row in enumerate(rows):
        tokens[index, : len(row.tokens)] = torch.tensor(row.tokens)
        labels[index, : len(row.tokens)] = torch.tensor(row.labels)
        mask[index, : len(row.tokens)] = True
    return Batch(tokens, labels, mask)


def draw(weights: Sequence[float], count: int, generator: torch.Generator) -> list[int]:
    """Draw indices with replacement, each with probability `weight / sum(weights)`."""
    return torch.multinomial(
        torch.tensor(weights, dtype=torch.float64), count, replacement=True, generator=generator
    ).tolist()


def in_batches(rows: Sequence[Row], most_tokens: int = BATCH_TOKENS) -> Iterator[list[Row]]:
    """Rows in order, as many at a time as stay within so many tokens, padding counted; one row at least."""
    batch: list[Row] = []
    for row in rows:
        longest = max(len(other.tokens) for other in [*batch, row])
        if batch and longest * (len(batch) + 1) > most_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def of_like_length(rows: Iterable[Row], most_tokens: int, most_padding: int) -> Iterator[list[Row]]:
    """Rows by their length, as many at a time as stay within so many tokens, and within so many of padding.

    Args:
        rows: In any order.
        most_tokens: Of a batch, padding counted; one row at least.
        most_padding: Of a batch: what another batch costs, in tokens.
    """
    batch: list[Row] = []
    tokens = 0
    for row in sorted(rows, key=lambda row: len(row.tokens)):
        longest = len(row.tokens)
        whole = longest * (len(batch) + 1)
        if batch and (whole > most_tokens or whole - tokens - longest > most_padding):
            yield batch
            batch, tokens = [], 0
        batch.append(row)
        tokens += longest
    if batch:
        yield batch
