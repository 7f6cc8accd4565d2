"""Tokens that give themselves away: what looks random is a secret by its form, or by the words around it."""

import functools
import re
from collections.abc import Iterator
from itertools import pairwise

from shammah.privacy.spans import Span
from shammah.privacy.words import PUBLIC, SECRET

SHORTEST, SHORTEST_BARE, SHORTEST_PREFIXED = 15, 30, 20
BEFORE, AFTER, AROUND_PUBLIC = 100, 60, 40
# The pairs of letters that make up two thirds of English: names and words are full of them, random letters are not.
_PAIRS = (
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic"
    " ne ea ra ce li ch ll be ma si om ur la el ec us ta na ns pr ad ct no et ho em ac tr ss lo ge id ol di po un pe il"
    " op ly ot ie mo so su wa ni am ec ir fo os ca bl ke ry ut ul ag ov ke ab ap ay im ai fi pa sh do up ex br"
)
_COMMON = frozenset(_PAIRS.split())
_MOST_COMMON = 0.4
_LEAST_CHANGES = 0.25


@functools.cache
def _run() -> re.Pattern[str]:
    return re.compile(r"(?<![A-Za-z0-9_+/.~$%-])[A-Za-z0-9_+/.~$%-]{15,20000}={0,2}")


@functools.cache
def _secret() -> re.Pattern[str]:
    return re.compile(SECRET, re.IGNORECASE)


@functools.cache
def _public() -> re.Pattern[str]:
    return re.compile(PUBLIC, re.IGNORECASE)


@functools.cache
def _prefix() -> re.Pattern[str]:
    """What many providers begin their tokens with: a short name or two, set apart."""
    return re.compile(r"(?:[A-Za-z]{1,12}\d?[A-Za-z]?\d?[_.$-]){1,4}(?=[A-Za-z0-9])")


def find_tokens(text: str) -> Iterator[Span]:
    """Where random-looking runs are secret."""
    for match in _run().finditer(text):
        run = match[0].rstrip(".-~/%")
        start = match.start()
        if (_looks_random(run) or _looks_random(_core(run))) and _is_secret(text, start, start + len(run), run):
            yield start, start + len(run)


def _is_secret(text: str, start: int, end: int, run: str) -> bool:
    before = text[max(0, start - BEFORE) : start]
    if "://" in (re.split(r"\s", before)[-1] + run):  # most of what is random in an address is an id
        parameter = re.split(r"[?&#/]", before)[-1]
        return before.endswith("=") and _secret().search(parameter) is not None
    secret, public = _distance(_secret(), before), _distance(_public(), before)
    if secret is not None and (public is None or secret < public):
        return True
    if public is not None and public < AROUND_PUBLIC:
        return False
    line = text[end : end + AFTER].split("\n", 1)[0]
    is_named_after = (found := _secret().search(line)) is not None and not _public().search(line[: found.start()])
    return is_named_after or _is_bare(run)


def _distance(pattern: re.Pattern[str], before: str) -> int | None:
    """How far before a run a word stands; None where none does."""
    last = None
    for match in pattern.finditer(before):
        last = len(before) - match.end()
    return last


def _is_bare(run: str) -> bool:
    """Whether the form alone tells: a name before much that is random, or both cases and figures at length."""
    if run.count("/") > 1 and _count_of_words(run) > 1:
        return False
    core = _core(run)
    name = run[: len(run) - len(core)]
    if name and len(_plain(core)) >= SHORTEST_PREFIXED and _looks_random(core) and not _public().search(name):
        is_hash = "." in name and re.fullmatch(r"[0-9a-f]+", core) is not None
        return not is_hash and not re.search(r"\.[a-z]{2,4}$", run)
    plain = _plain(run)
    has_all = any(map(str.islower, plain)) and any(map(str.isupper, plain)) and any(map(str.isdigit, plain))
    return len(plain) >= SHORTEST_BARE and has_all


def _core(run: str) -> str:
    """A run without the names that it begins with."""
    found = _prefix().match(run)
    return run[found.end() :] if found else run


def _count_of_words(run: str) -> int:
    """How many parts of a path are words."""
    return sum(part.isalpha() and part.islower() and 2 < len(part) < 16 for part in re.split(r"[/._-]", run))


def _looks_random(run: str) -> bool:
    """Whether neither words nor numbers make it up."""
    plain = _plain(run)
    if len(plain) < SHORTEST or plain.isdigit():
        return False
    if plain.isalpha():
        is_mixed = not plain.islower() and not plain.isupper() and not plain[1:].islower()
        return is_mixed and len(plain) > SHORTEST_PREFIXED and changes(plain) > _LEAST_CHANGES and not has_words(plain)
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", plain):
        return sum(map(str.isdigit, plain)) > 2
    return changes(plain) > _LEAST_CHANGES / 2 and not has_words(plain)


def has_words(plain: str) -> bool:
    """Whether letters follow each other as they do in names and words."""
    low = plain.lower()
    pairs = [low[place : place + 2] for place in range(len(low) - 1) if low[place : place + 2].isalpha()]
    return len(pairs) > 5 and sum(pair in _COMMON for pair in pairs) > _MOST_COMMON * len(pairs)


def changes(plain: str) -> float:
    """How often one kind of character follows another, of all that could."""
    kinds = ["d" if one.isdigit() else "u" if one.isupper() else "l" for one in plain]
    return sum(one != other for one, other in pairwise(kinds)) / len(plain)


def _plain(run: str) -> str:
    return "".join(filter(str.isalnum, run))
