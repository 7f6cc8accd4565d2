"""Grammars that an answer obeys, by llama.cpp's own engine for GBNF."""

import ctypes
import json
import re
import weakref
from collections.abc import Mapping
from typing import Any

import llama_cpp as ll
import numpy as np
from llama_cpp.llama_grammar import json_schema_to_gbnf
from numpy.typing import NDArray

from shammah.errors import BadGrammar
from shammah.generation import Sampling
from shammah.local.native import native_errors

ROOT = b"root"
# The native parser goes down with each bracket, and would leave the stack.
MOST_BYTES, MOST_DEPTH = 2**18, 256
# The converter writes out what is counted, and would fill the memory before its grammar was found too large.
MOST_COUNTED = 2**16
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
_REPEATED = re.compile(r"\{\s*(\d*)\s*,?\s*(\d*)\s*\}")
# The converter lets control characters into strings, which no JSON has; llama.cpp's own does not.
_CHARACTER = (r'char ::= [^"\\]', r'char ::= [^"\\\x7F\x00-\x1F]')
# It writes "500 at most" as brackets 500 deep; 15 digits are left as they are.
_END = ")?"
_NESTED = re.compile(r'(?:\((?P<what>"," space [\w-]+|char) )(?:\((?P=what) ?){15,}(?P<ends>(?:\)\?)+)')
# struct llama_token_data of llama.h: the token, its logit, its probability.
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Grammar:
    """Where an answer stands in a grammar."""

    def __init__(self, vocabulary: Any, text: str) -> None:
        """Read a GBNF grammar.

        Raises:
            BadGrammar: It is none.
        """
        _check_size(text)
        native_errors.clear()
        self._native = ll.llama_sampler_init_grammar(vocabulary, text.encode("utf-8", "replace"), ROOT)
        if not self._native:
            raise BadGrammar(f"the grammar cannot be read: {'; '.join(native_errors) or 'it does not say why'}")
        weakref.finalize(self, ll.llama_sampler_free, self._native)

    def allows(self, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these tokens may come next, (tokens,)."""
        candidates = np.zeros(len(tokens), _CANDIDATE)
        candidates["id"] = tokens
        data = candidates.ctypes.data_as(ll.llama_token_data_p)
        array = ll.llama_token_data_array(data, len(tokens), -1, False)
        ll.llama_sampler_apply(self._native, ctypes.byref(array))
        return np.asarray(candidates["logit"] == 0.0)  # what is refused gets minus infinity

    def accept(self, token: int) -> None:
        """Go on behind a token that is allowed; another one would abort the process."""
        ll.llama_sampler_accept(self._native, token)


def grammar_of(vocabulary: Any, sampling: Sampling) -> Grammar | None:
    """The grammar that an answer is to obey; None where it is free.

    Raises:
        BadGrammar: There is one, and it cannot be used.
    """
    if sampling.grammar:
        return Grammar(vocabulary, sampling.grammar)
    return None if sampling.schema is None else Grammar(vocabulary, of_schema(sampling.schema))


def of_schema(schema: Mapping[str, object]) -> str:
    """The GBNF grammar of the JSON that a JSON schema describes.

    Raises:
        BadGrammar: It is no schema, or one that llama.cpp's converter does not know.
    """
    _check_counts(schema)
    try:
        return _NESTED.sub(_folded, str(json_schema_to_gbnf(json.dumps(schema)))).replace(*_CHARACTER)
    # It reads the schema as it goes: what is wrong shows as whatever Python says of it.
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError, RecursionError) as error:
        raise BadGrammar(f"the JSON schema makes no grammar: {error or type(error).__name__}") from error


def _folded(nested: re.Match[str]) -> str:
    """At most so many of something, said in one bracket."""
    what, ends = nested["what"], nested["ends"]
    count = nested[0].count(f"({what}")
    return f"({what}){{0,{count}}}{ends[count * len(_END) :]}"


def _check_counts(schema: object) -> None:
    left, counted = [schema], 0
    while left:
        found = left.pop()
        if isinstance(found, Mapping):
            counted += sum(size for size in map(found.get, _COUNTS) if isinstance(size, int))
            counted += _repeated(found.get("pattern"))
            left.extend(found.values())
        elif isinstance(found, list):
            left.extend(found)
    if counted > MOST_COUNTED:
        raise BadGrammar(f"the JSON schema counts to {counted:,}; {MOST_COUNTED:,} is the most that is forced")


def _repeated(pattern: object) -> int:
    """How often a pattern may repeat something, groups within groups."""
    if not isinstance(pattern, str):
        return 0
    bounds = (bound for pair in _REPEATED.findall(pattern) for bound in pair if bound)
    product = 1
    for bound in bounds:
        product *= max(1, int(bound[:9]))
        if product > MOST_COUNTED:
            break
    return product


def _check_size(text: str) -> None:
    depth = deepest = 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        deepest = max(deepest, depth)
    if len(text) > MOST_BYTES or deepest > MOST_DEPTH:
        raise BadGrammar(f"the grammar is too large: {len(text):,} letters, brackets {deepest} deep")
