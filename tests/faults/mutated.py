"""Inputs for parsers: bytes of any kind, JSON of any kind, and right ones in which something was changed."""

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.faults.texts import some_bytes

_PIECES = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b"[" * 3000, b'{"a":' * 3000, b"\n", b"\0", b"\xff", b"=", b":", b",", b"'''",
    b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"\\ud800", b"null", b"true", b"-0", b"#", b"a." * 2000,
    b"\xe2\x80\xa8", b" ",
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, 10**100, 0.5, 1e308, "", " ", "\0", "\ud800", "a" * 3000, "../..",
    "/", "-", "1", "shammah:local", "shammah:adapter=x:1e9", "\x1b[2J", [], [[]], [None], {}, {"a": {}}, {"": None},
    {"type": "x"},
)  # fmt: skip


def inputs(valid: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes for a parser that takes such texts as these."""
    seeds = st.integers(0, 2**48)
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    values = st.recursive(leaves, _nested, max_leaves=8)
    return st.one_of(
        st.binary(max_size=300),
        values.map(lambda value: json.dumps(value).encode()),
        seeds.map(lambda seed: some_bytes(random.Random(seed))),
        seeds.map(lambda seed: _changed(random.Random(seed), valid)),
        seeds.map(lambda seed: _changed(random.Random(seed), valid)),
    )


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)


def _changed(chance: random.Random, valid: Sequence[bytes]) -> bytes:
    """A right input with a value or a few bytes of it changed."""
    text = chance.choice(valid)
    if text[:1] == b"{" and chance.random() < 0.6:
        value = json.loads(text)
        for _ in range(chance.randrange(1, 3)):
            value = _other(chance, copy.deepcopy(value))
        return json.dumps(value).encode()
    for _ in range(chance.randrange(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.randrange(8))
        piece = chance.choice((*_PIECES, b"", text[end : end + chance.randrange(30)]))
        text = text[:start] + piece + text[end:]
    return text


def _other(chance: random.Random, value: Any) -> Any:
    """A value of JSON with one of its parts exchanged, dropped or added."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return chance.choice(_ODD)
    key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if chance.random() < 0.1:
        del value[key]
    else:
        value[key] = _other(chance, value[key])
    return value
