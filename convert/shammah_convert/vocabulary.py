"""Byte-level BPE vocabularies: from `tokenizer.json`, and to and from a GGUF header."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gguf

from shammah_convert.chat import END_OF_TEXT, IM_END
from shammah_convert.header import BadHeader
from shammah_convert.mapped import MappedFile
from shammah_convert.shape import BadBase

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
"""As Qwen2's tokenizer.json and llama.cpp's pre-tokenizer "qwen2" have it: one digit a token."""

CONTROLS_BY_NAME = frozenset(
    ["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]
)
"""Marks of Qwen2.5 that llama.cpp takes for controls whatever the file says (`llama_vocab::impl::load`)."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A byte-level BPE vocabulary, in the order of the token ids.

    Attributes:
        tokens: In the printable form of byte-level BPE ("\u0120" for a space in front).
        controls: The tokens that stand for no text; typed text never becomes one.
        merges: "left right", best first.
        end: The token that ends an answer.
        padding: The token that fills batches.
        defined: Tokens that are matched whole wherever they stand in a text, such as Qwen3's `<think>`.
    """

    tokens: tuple[str, ...]
    controls: frozenset[str]
    merges: tuple[str, ...]
    end: str = IM_END
    padding: str = END_OF_TEXT
    defined: frozenset[str] = frozenset()

    @classmethod
    def from_tokenizer_json(cls, text: str) -> "Vocabulary":
        """Read a `tokenizer.json`.

        Raises:
            BadBase: It is no byte-level BPE with Qwen2's split, lacks ChatML's tokens, or its ids have holes.
        """
        try:
            return cls._from_tokenizer(json.loads(text))
        except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
            raise BadBase(f"the tokenizer cannot be read: {error!r}") from error

    @classmethod
    def _from_tokenizer(cls, data: dict[str, Any]) -> "Vocabulary":
        if data["model"]["type"] != "BPE":
            raise BadBase(f"the tokenizer is {data['model']['type']}, not BPE")
        if (splits := list(_splits(data.get("pre_tokenizer")))) != [QWEN2_SPLIT]:
            raise BadBase(f"the tokenizer splits text by {splits}, not as Qwen2 does")
        added = {token["content"]: int(token["id"]) for token in data.get("added_tokens", ())}
        ids = {int(index): token for token, index in {**data["model"]["vocab"], **added}.items()}
        if sorted(ids) != list(range(len(ids))):
            raise BadBase("the token ids have holes")
        if missing := {IM_END, END_OF_TEXT} - set(ids.values()):
            raise BadBase(f"the tokenizer lacks {', '.join(sorted(missing))}: it does not speak ChatML")
        return cls(
            tokens=tuple(ids[index] for index in range(len(ids))),
            controls=frozenset(token["content"] for token in data.get("added_tokens", ()) if token["special"]),
            merges=tuple(m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]),
            defined=frozenset(token["content"] for token in data.get("added_tokens", ()) if not token["special"]),
        )

    @classmethod
    def from_gguf(cls, file: MappedFile) -> "Vocabulary":
        """Read the vocabulary of an open GGUF file.

        Raises:
            BadBase: It is no byte-level BPE with Qwen2's split.
        """
        try:
            return cls._from_fields(file.value)
        except (BadHeader, TypeError, IndexError) as error:
            raise BadBase(f"the tokenizer cannot be read: {error!r}") from error

    @classmethod
    def _from_fields(cls, value: Callable[[str], Any]) -> "Vocabulary":
        kind, pre = value("tokenizer.ggml.model"), value("tokenizer.ggml.pre")
        if (kind, pre) != ("gpt2", "qwen2"):
            raise BadBase(f"the tokenizer is {kind}/{pre}, not gpt2/qwen2")
        tokens, types = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
        merges = value("tokenizer.ggml.merges")
        if not (tokens and types and merges):
            raise BadBase("the file lacks a tokenizer's tokens, their types or its merges")
        if len(tokens) != len(types):
            raise BadBase(f"the file has {len(tokens):,} tokens, and types of {len(types):,}")
        if not all(isinstance(kind, int) for kind in types):
            raise BadBase("the types of the file's tokens are no whole numbers")
        controls, defined = (
            frozenset(itertools.compress(tokens, map(int(wanted).__eq__, types)))
            for wanted in (gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED)
        )
        by_name = defined & CONTROLS_BY_NAME
        end, padding = value("tokenizer.ggml.eos_token_id"), value("tokenizer.ggml.padding_token_id")
        return cls(
            tokens=tokens,
            controls=controls | by_name,
            merges=merges,
            end=tokens[end],
            padding=tokens[end if padding is None else padding],
            defined=defined - by_name,
        )


def _splits(pre_tokenizer: Any) -> Iterator[str]:
    """The patterns that a tokenizer.json splits text by, in order."""
    if not isinstance(pre_tokenizer, dict):
        return
    for step in pre_tokenizer.get("pretokenizers", ()):
        yield from _splits(step)
    if pre_tokenizer.get("type") == "Split":
        yield str(pre_tokenizer["pattern"].get("Regex"))


def add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary, rows: int) -> None:
    """Write a vocabulary into a file's header, with a token for each of so many rows."""
    # Real Qwens have more embedding rows than tokens; llama.cpp wants a distinct token for each.
    fillers = [f"[PAD{index}]" for index in range(len(vocabulary.tokens), rows)]
    kinds = gguf.TokenType
    special = dict.fromkeys(vocabulary.controls, kinds.CONTROL) | dict.fromkeys(vocabulary.defined, kinds.USER_DEFINED)
    types = [special.get(token, kinds.NORMAL) for token in vocabulary.tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*vocabulary.tokens, *fillers])
    writer.add_token_types([*types, *[kinds.UNUSED] * len(fillers)])
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_eos_token_id(vocabulary.tokens.index(vocabulary.end))
    writer.add_pad_token_id(vocabulary.tokens.index(vocabulary.padding))
    writer.add_add_bos_token(False)
