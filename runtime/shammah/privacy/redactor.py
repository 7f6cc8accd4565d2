"""Replaces the secrets of one question, and puts them back."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shammah.errors import TextTooLong
from shammah.generation import Chunk, Sampling
from shammah.privacy import structured
from shammah.privacy.finding import find, occurrences
from shammah.privacy.spans import PLACEHOLDER, Span, merged
from shammah_convert.chat import Message

SHORTEST_ANYWHERE, SHORTEST_WORD = 6, 4
MOST_CHARACTERS = 500_000
"""Of one question with all that was said before it: no model here reads more, and looking through it takes seconds."""
_LONGEST_PLACEHOLDER = len("<SECRET_0000>")


@dataclass(slots=True)
class Redactor:
    """Replaces the secrets of one question, the same one by the same placeholder throughout."""

    _placeholders: dict[str, str]
    _taken: set[str]
    _found: dict[str, list[Span]]

    def __init__(self) -> None:
        self._placeholders = {}
        self._taken = set()
        self._found = {}

    @property
    def count(self) -> int:
        """How many different secrets were found so far."""
        return len(self._placeholders)

    def redact(self, text: str) -> str:
        """The text with every secret that is found replaced.

        Raises:
            TextTooLong: It is longer than is looked through.
        """
        _check_length(len(text))
        self._take(text)
        return "".join(
            self._replaced(piece, self._spans(piece)) if call is None else self._redact_call(piece, call)
            for piece, call in structured.pieces(text)
        )

    def redact_all(self, messages: Iterable[Message]) -> list[Message]:
        """A conversation with every secret replaced, also before the place that gives it away.

        Raises:
            TextTooLong: It is longer than is looked through.
        """
        messages = list(messages)
        _check_length(sum(len(message.content) for message in messages))
        for message in messages:
            self._take(message.content)
        before = self.count
        redacted = [self.redact(message.content) for message in messages]
        if self.count > before:
            redacted = [self.redact(message.content) for message in messages]
        return [replace(message, content=text) for message, text in zip(messages, redacted, strict=True)]

    def redact_sampling(self, sampling: Sampling) -> Sampling:
        """What is wanted of an answer, with every secret replaced in what goes to the teacher."""
        schema = None if sampling.schema is None else self._redact_object(dict(sampling.schema))
        return replace(sampling, schema=schema, stop=tuple(map(self.redact, sampling.stop)))

    def restore(self, text: str) -> str:
        """The text with the secrets back in place, for the eyes of the one who typed them."""
        if not self._placeholders:
            return text
        secrets = {placeholder: secret for secret, placeholder in self._placeholders.items()}
        escaped = {placeholder: structured.within(secret) for placeholder, secret in secrets.items()}
        return "".join(
            _put_back(piece, secrets if call is None else escaped) for piece, call in structured.pieces(text)
        )

    def restore_stream(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Restore a stream, wherever chunk borders fall."""
        held = ""
        for chunk in chunks:
            held += chunk.text
            ready = len(held) if chunk.end is not None else self._whole(held)
            yield replace(chunk, text=self.restore(held[:ready]))
            held = held[ready:]

    def _whole(self, text: str) -> int:
        """How much of a stream's text can be restored before the rest is there: no half placeholder, no half call."""
        start = text.rfind("<", -_LONGEST_PLACEHOLDER)
        call = text.rfind(structured.OPEN) if self._placeholders else -1
        if call >= 0 and structured.CLOSE not in text[call:]:
            return call
        return start if start >= 0 and ">" not in text[start:] else len(text)

    def _redact_call(self, text: str, call: Any) -> str:
        """A call's JSON with its secrets replaced; where that leaves one, as the text that it is."""
        redacted = self._redact_object(call)
        text = text if redacted == call else structured.written(redacted)
        return self._replaced(text, self._spans(text))

    def _redact_object(self, value: Any) -> Any:
        """A value of JSON with every secret in its texts replaced."""
        as_json = structured.written(value)
        self._take(as_json)
        found = [*structured.plain(as_json[start:end] for start, end in self._spans(as_json))]
        for line, at in structured.lines(value):
            found += [line[max(at, start) : end] for start, end in self._spans(line) if end > at]
        texts = list(structured.texts(value))
        for secret in found:
            if any(secret in text for text in texts):
                self._placeholder(secret)
        return structured.changed(value, lambda text: self._replaced(text, merged(self._again(text))))

    def _replaced(self, text: str, spans: Iterable[Span]) -> str:
        pieces, done = [], 0
        for start, end in spans:
            pieces += [text[done:start], self._placeholder(text[start:end])]
            done = end
        return "".join([*pieces, text[done:]])

    def _take(self, text: str) -> None:
        """Never use a placeholder that somebody typed."""
        self._taken.update(PLACEHOLDER.findall(text))

    def _spans(self, text: str) -> list[Span]:
        """Where secrets stand, in order and apart."""
        ours = set(self._placeholders.values())
        if text not in self._found:
            self._found[text] = list(find(text))
        found = [
            span for span in self._found[text] if ours.isdisjoint(PLACEHOLDER.findall(text, *span))
        ]  # a text may come twice
        return merged([*found, *self._again(text, {text[start:end] for start, end in found})])

    def _again(self, text: str, found: Iterable[str] = ()) -> Iterator[Span]:
        """Where secrets stand that are known: found once, secret everywhere, unless they are parts of words."""
        known = {*found, *self._placeholders}
        yield from occurrences([secret for secret in known if len(secret) >= SHORTEST_ANYWHERE], text)
        for secret in known:
            if SHORTEST_WORD <= len(secret) < SHORTEST_ANYWHERE:
                yield from (match.span() for match in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", text))

    def _placeholder(self, secret: str) -> str:
        if secret not in self._placeholders:
            numbers = itertools.count(len(self._placeholders) + 1)
            placeholder = next(p for p in (f"<SECRET_{n}>" for n in numbers) if p not in self._taken)
            self._placeholders[secret] = placeholder
            self._taken.add(placeholder)
        return self._placeholders[secret]


def _check_length(count: int) -> None:
    if count > MOST_CHARACTERS:
        most = f"{MOST_CHARACTERS:,} may be"
        raise TextTooLong(f"this is {count:,} characters long, with what was said before; {most}")


def _put_back(text: str, secrets: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: secrets.get(match[0], match[0]), text)
