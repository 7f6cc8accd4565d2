"""Passwords: any word is one behind their name and a sign; behind their name alone, a word that nobody would write."""

import functools
import re
from collections.abc import Iterator

from shammah.privacy.shapes import NOT
from shammah.privacy.spans import Span
from shammah.privacy.tokens import changes, has_words
from shammah.privacy.words import LOGIN, LOGIN_STEMS, PASSWORD, PASSWORD_STEMS

_QUOTES = r"[\"'`“「*\\]{0,4}"
# A value is of ASCII: in Chinese, say, nothing else tells where it ends.
_VALUE = rf"{_QUOTES}(?P<secret>{NOT}[!-~]{{6,200}})"
_ODD_VALUE = rf"(?=[!-~]{{0,60}}(?:\d|[!@#$%^&*?+=]|[a-z]-[a-z]{{2,12}}-[a-z])){_VALUE}"
# Behind the name: how it ends, a quote, a type, `value`, and a sign that gives.
_GIVEN = (
    r"\w{0,20}[\"'\]\)\\`*]{0,5}(?:\s{0,3}:\s?&?'?\w{2,12}(?:\s\w{1,8})?(?=\s{0,2}=))?"
    r"(?:\s{0,12}(?:\{\s{0,12})?(?:value|default))?\s{0,3}(?:={1,3}|:=|=>|->|[:\uff1a>,|]|\s(?=N?[\"'`]))\s{0,3}(?:N(?='))?"
)
# Or some short words, which end with no sentence.
_LOOSE = (
    r"\w{0,12}(?:[^\S\n]{1,3}[^\W\d]{1,14}(?:['\u2019][^\W\d]{1,10})?){0,5}?"
    r"(?:[^\S\n]{1,3}|(?<=[^\x00-\x7f])|[:\uff1a])"
)
_BEFORE = (
    r"(?<!\S)[\"'`(]{0,2}(?P<secret>[!-~]{6,60}?)[\"'`)]{0,2}\s"
    r"(?:is|was|ist|est|es|è|é|är|er|to|je|on)\s(?:\S{1,12}\s){0,3}?"
)
# Product names, versions, sizes and the like, which talk of passwords is full of.
_HARMLESS = re.compile(
    r"[a-z]+-?\d{1,2}|v?\d[\d.,:-]*\w{0,10}|\d+-\w+|sha-?\d+|[A-Z][a-z]+\d{1,2}|[\w-]+\.\w{2,4}|\w+\(.*|[A-Z]+-?\d+"
    r"|https?:.*|~?/.*|.*@.*\..*"
)


@functools.cache
def _compiled() -> tuple[tuple[re.Pattern[str], bool], ...]:
    """Each pattern, and whether any odd word behind it is a password."""
    name = r"[\"']?(?:\s{0,3}[:=]\s{0,3}|\s{1,3})(?:(?:is|are|sind)\s)?[\w.@-]{2,40}"
    login = rf"(?i:{LOGIN}){name}\s{{0,2}}(?:/|,|:|and|und|et|y|e)\s{{0,2}}"
    return (
        (re.compile(rf"(?i:{PASSWORD}){_GIVEN}{_VALUE}"), True),
        (re.compile(rf"(?i:{PASSWORD}){_LOOSE}{_ODD_VALUE}"), False),
        (re.compile(rf"{_BEFORE}(?i:{PASSWORD})"), False),
        (re.compile(login + _ODD_VALUE), False),
    )


def _that_may_match(low: str) -> Iterator[tuple[re.Pattern[str], bool]]:
    """Those for which a text in small letters has a word that they need: looking for words is much faster."""
    *of_passwords, of_logins = _compiled()
    if any(stem in low for stem in PASSWORD_STEMS):
        yield from of_passwords
    if any(stem in low for stem in LOGIN_STEMS):
        yield of_logins


def find_passwords(text: str) -> Iterator[Span]:
    """Where passwords stand, by what is said around them."""
    for pattern, is_given in _that_may_match(text.lower()):
        for match in pattern.finditer(text):
            start = match.start("secret")
            value = _trimmed(match["secret"])
            if (_is_odd if is_given else _is_strange)(value):
                yield start, start + len(value)


def _trimmed(value: str) -> str:
    """A value without what closes around it: quotes, brackets, the end of a sentence."""
    value = re.split(r"[\"'`<>]|\\[\"'n]|[,;]\s?$", value)[0]
    if value.count("(") < value.count(")"):
        value = value[: value.rindex(")")]
    return value.rstrip(".,;:]}|\\")


def _is_odd(value: str) -> bool:
    """Whether a word that is given as a password may be one: a figure or a sign in it, or several words as one."""
    has_figure = any(map(str.isdigit, value)) and not value.isdigit()
    has_sign = re.search(r"[!@#$%^&*?+=]", value) is not None
    is_phrase = re.fullmatch(r"[a-z]+(?:[-_.][a-z]+){3,}", value) is not None
    is_whole = len(value) >= 6 and any(map(str.isalpha, value)) and not _HARMLESS.fullmatch(value)
    return is_whole and (has_figure or has_sign or is_phrase or _is_noise(value))


def _is_strange(value: str) -> bool:
    """Whether nobody would write it but as a password: letters and figures, with a capital or a sign among them."""
    letters, figures = sum(map(str.isalpha, value)), sum(map(str.isdigit, value))
    is_phrase = re.fullmatch(r"[a-z]+(?:[-_.][a-z]+){3,}", value) is not None
    is_marked = any(map(str.isupper, value)) or re.search(r"[!@#$%^&*?+=_]", value) is not None
    is_mixed = letters > 2 and figures > 0 and is_marked and len(value) > 6
    return (is_mixed or is_phrase or _is_noise(value)) and not _HARMLESS.fullmatch(value)


def _is_noise(value: str) -> bool:
    """Whether letters and signs follow each other as in no word."""
    letters = "".join(filter(str.isalpha, value))
    signs = len(re.findall(r"[!@#$%^&*?+=]", value))
    return (signs > 1 and len(letters) > 3) or (len(letters) > 9 and changes(letters) > 0.3 and not has_words(letters))
