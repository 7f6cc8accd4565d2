"""Replaces the secrets of one question, and puts them back."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from shammah.generation import Chunk
from shammah.privacy.finding import find, occurrences
from shammah.privacy.spans import PLACEHOLDER, Span, merged
from shammah_convert.chat import Message

SHORTEST_ANYWHERE, SHORTEST_WORD = 6, 4
_LONGEST_PLACEHOLDER = len("<SECRET_0000>")


@dataclass(slots=True)
class Redactor:
    """Replaces the secrets of one question, the same one by the same placeholder throughout."""

    _placeholders: dict[str, str]
    _taken: set[str]

    def __init__(self) -> None:
        self._placeholders = {}
        self._taken = set()

    @property
    def count(self) -> int:
        """How many different secrets were found so far."""
        return len(self._placeholders)

    def redact(self, text: str) -> str:
        """The text with every secret that is found replaced."""
        self._take(text)
        pieces, done = [], 0
        for start, end in self._spans(text):
            pieces += [text[done:start], self._placeholder(text[start:end])]
            done = end
        return "".join([*pieces, text[done:]])

    def redact_all(self, messages: Iterable[Message]) -> list[Message]:
        """A conversation with every secret replaced."""
        messages = list(messages)
        for message in messages:
            self._take(message.content)
        return [replace(message, content=self.redact(message.content)) for message in messages]

    def restore(self, text: str) -> str:
        """The text with the secrets back in place, for the eyes of the one who typed them."""
        secrets = {placeholder: secret for secret, placeholder in self._placeholders.items()}
        return PLACEHOLDER.sub(lambda match: secrets.get(match[0], match[0]), text)

    def restore_stream(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Restore a stream, wherever chunk borders fall."""
        held = ""
        for chunk in chunks:
            held += chunk.text
            start = held.rfind("<", -_LONGEST_PLACEHOLDER)
            is_open = start >= 0 and ">" not in held[start:] and chunk.end is None
            ready, held = (held[:start], held[start:]) if is_open else (held, "")
            yield replace(chunk, text=self.restore(ready))

    def _take(self, text: str) -> None:
        """Never use a placeholder that somebody typed."""
        self._taken.update(PLACEHOLDER.findall(text))

    def _spans(self, text: str) -> list[Span]:
        """Where secrets stand, in order and apart."""
        ours = set(self._placeholders.values())
        found = [
            span for span in find(text) if ours.isdisjoint(PLACEHOLDER.findall(text, *span))
        ]  # a text may come twice
        # What was found once is a secret wherever it stands, unless it is so short that words contain it.
        secrets = {text[start:end] for start, end in found} | set(self._placeholders)
        for secret in secrets:
            if len(secret) >= SHORTEST_ANYWHERE:
                found += occurrences(secret, text)
            elif len(secret) >= SHORTEST_WORD:
                found += [match.span() for match in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", text)]
        return merged(found)

    def _placeholder(self, secret: str) -> str:
        if secret not in self._placeholders:
            numbers = itertools.count(len(self._placeholders) + 1)
            placeholder = next(p for p in (f"<SECRET_{n}>" for n in numbers) if p not in self._taken)
            self._placeholders[secret] = placeholder
            self._taken.add(placeholder)
        return self._placeholders[secret]
