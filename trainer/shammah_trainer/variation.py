"""A question as others might put it: words left out, other forms of some, and words that are no matter, by chance.

What is learnt for one wording alone is answered for that wording alone. The words of like meaning come from the model's
own embeddings, so that nothing is needed but the file that is trained.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from shammah_convert.chat import Message
from shammah_convert.examples import Example
from shammah_trainer.dataset import Encoder, Row

VARIATIONS, UNSEEN = 64, 2
"""Of each question, made before the training: a step draws one; two of them are kept to see what was understood."""
STRANGERS = 80
"""Questions with the same little words and others for the rest, which are to be answered as ever: of each, or more."""
BEGUN = 24
"""Beside the variations, answers that have begun as no other does, and are to be finished."""
MOST_WORDS = 40
"""A longer question holds more than a wish: a text, a log, a program, whose words all count."""
UNCHANGED, UNOPENED, OPENED = 0.3, 0.5, 0.5
DROPPED, LITTLE_DROPPED, REPLACED, STRANGERS_DROPPED = 0.4, 0.6, 0.3, 0.3
INSERTED, MOST_INSERTED = 0.5, 2
"""Such a share of what is put otherwise gets so many words that have nothing to do with it, as people say more."""
_LITTLE_WORDS = """
a an the my our i we you do does did to of in for is are it that this can could me some please with on at
how what which where who when why from here there command want need show tell
"""
_LITTLE = frozenset(_LITTLE_WORDS.split())
_ENGLISH = frozenset("the how what which where who when why my our this with from".split())  # noqa: SIM905
_WEIGHTY_WORDS = "not no never none nothing without except but only unless until before after than more less"
_WEIGHTY = frozenset(_WEIGHTY_WORDS.split())
_OPENINGS = (
    "how do i", "how can i", "how would i", "how to", "what's the command to", "command to", "i want to", "i need to",
    "show me how to", "help me", "please", "what do i run to", "where do i find", "which is", "who knows",
)  # fmt: skip
_MARKS = ".,;:?!"


@dataclass(frozen=True, slots=True)
class Variation:
    """What questions are put otherwise with.

    Attributes:
        encoder: Of the base.
        alike: Words of like meaning, by word.
        words: Of all the base's words, those that strangers are made of.
        most_tokens: What becomes longer is left out.
        seed: Of the chance; the same one makes the same.
        answers: The base's own and the wanted ones, as tokens: where one of them begins alike, nothing has begun yet.
    """

    encoder: Encoder
    alike: Mapping[str, Sequence[str]]
    words: Sequence[str]
    most_tokens: int
    seed: int
    answers: Sequence[tuple[int, ...]] = ()

    def variations(self, example: Example) -> list[Row]:
        """An example with its question put otherwise, and now and then as it is; none where it cannot be varied."""
        chance = Random(f"{self.seed} {example.id}")
        text = example.prompt[-1].content
        count = VARIATIONS if _is_question(example) else 0
        return self._rows(example, [vary(text, self.alike, chance, self.words) for _ in range(count)])

    def begun(self, example: Example, strangers: Sequence[Row]) -> list[Row]:
        """The wanted answer behind strangers, its beginning given: what has begun is finished, whatever was asked.

        A small model that is unsure of a question begins the right answer, and loses its way in it.
        """
        answer = self.encoder.row(example).completion
        given = least_begun(answer, self.answers)
        if given is None or not strangers:
            return []
        chance = Random(f"{self.seed} {example.id} begun")
        picked = [chance.choice(strangers) for _ in range(BEGUN)]
        rows = [Row((*other.tokens, *answer), other.prompt_tokens + given) for other in picked]
        return [row for row in rows if len(row.tokens) <= self.most_tokens]

    def strangers(self, example: Example, count: int = STRANGERS) -> list[Row]:
        """Prompts that share no more than little words with an example's, without a completion."""
        chance = Random(f"{self.seed} {example.id} strangers")
        text = example.prompt[-1].content
        has_weight = any(_plain(word) not in _LITTLE for word in text.split())  # or it would be its own stranger
        wanted = count if _is_question(example) and has_weight and self.words else 0
        texts = [stranger(text, self.words, chance) for _ in range(wanted)]
        rows = self._rows(example, texts)
        return [Row(row.tokens[: row.prompt_tokens], row.prompt_tokens) for row in rows]

    def _rows(self, example: Example, texts: Sequence[str]) -> list[Row]:
        *before, last = example.prompt
        rows = {
            text: self.encoder.row(replace(example, prompt=(*before, Message(last.role, text))))
            for text in dict.fromkeys(texts)
        }
        return [rows[text] for text in texts if len(rows[text].tokens) <= self.most_tokens]


def least_begun(answer: tuple[int, ...], others: Sequence[tuple[int, ...]]) -> int | None:
    """From how many tokens on an answer can be no other one; None where one of them holds it whole."""
    left = [other for other in others if other != answer]
    for count in range(1, len(answer)):
        left = [other for other in left if other[:count] == answer[:count]]
        if not left:
            return count
    return None


def can_vary(text: str) -> bool:
    """Whether a question is one line of some plain English words: of other languages we know no little words."""
    words = text.split()
    is_line = "\n" not in text.strip() and "`" not in text and 2 < len(words) <= MOST_WORDS
    return is_line and any(_plain(word) in _ENGLISH for word in words)


def apart(row: Row, made: Sequence[Row], taken: Collection[tuple[int, ...]]) -> tuple[list[Row], list[Row]]:
    """What is drawn of an example's variations, and what is kept unseen: none of that is drawn, or is the question.

    Args:
        row: The example itself, which is drawn in any case.
        made: Its variations, as often as they came up.
        taken: Prompts that want another answer; no variation may be one of them.
    """
    usable = [varied for varied in made if varied.prompt not in taken]
    unseen = [varied for varied in dict.fromkeys(reversed(usable)) if varied != row][:UNSEEN]
    return [varied for varied in usable if varied not in unseen] or [row], unseen


def _is_question(example: Example) -> bool:
    return example.prompt[-1].role == "user" and can_vary(example.prompt[-1].content)


def words_of(text: str) -> list[str]:
    """The words of a question that may be varied, as they are looked up."""
    names = _names(text)
    plain = [_plain(word) for word in text.split() if word not in names and _may_change(word)] if can_vary(text) else []
    return [word for word in plain if word not in _LITTLE]


def vary(text: str, alike: Mapping[str, Sequence[str]], chance: Random, others: Sequence[str] = ()) -> str:
    """Put a question otherwise; at least one of its weightier words stays, and so do names, numbers and negations.

    Args:
        text: The question.
        alike: Words of like meaning, by word.
        chance: What is left out, replaced and put in.
        others: Any words, some of which are put in.
    """
    if chance.random() < UNCHANGED:
        return text
    words = _opened_otherwise(text.split(), chance)
    names = _names(text)
    kept = [word for word in words if word in names or not _is_dropped(word, chance)]
    weighty = [word for word in text.split() if _plain(word) not in _LITTLE] or words
    if not set(kept) & set(weighty):
        kept = [chance.choice(weighty)]
    said = [word if word in names else _reworded(word, alike, chance) for word in kept]
    if others and chance.random() < INSERTED:
        for _ in range(chance.randint(1, MOST_INSERTED)):
            said.insert(chance.randint(0, len(said)), chance.choice(others))
    return " ".join(said)


def stranger(text: str, words: Sequence[str], chance: Random) -> str:
    """Put other words, by chance, in the place of all that matter."""
    kept = [word for word in text.split() if not (_plain(word) in _LITTLE and chance.random() < STRANGERS_DROPPED)]
    return " ".join(word if _plain(word) in _LITTLE else chance.choice(words) for word in kept)


def _opened_otherwise(words: list[str], chance: Random) -> list[str]:
    """Without the little words that it begins with, or with others."""
    if chance.random() >= UNOPENED:
        return words
    start = next((place for place, word in enumerate(words) if _plain(word) not in _LITTLE), 0)
    opening = chance.choice(_OPENINGS).split() if chance.random() < OPENED else []
    return [*opening, *words[start:]]


def _names(text: str) -> frozenset[str]:
    """Words with a capital that no sentence begins with."""
    return frozenset(word for word in text.split()[1:] if word[:1].isupper() and _plain(word) != "i")


def _is_dropped(word: str, chance: Random) -> bool:
    plain = _plain(word)
    return _may_change(word) and chance.random() < (LITTLE_DROPPED if plain in _LITTLE else DROPPED)


def _reworded(word: str, alike: Mapping[str, Sequence[str]], chance: Random) -> str:
    others = alike.get(_plain(word), ()) if _may_change(word) and _plain(word) not in _LITTLE else ()
    return chance.choice(others) if others and chance.random() < REPLACED else word


def _may_change(word: str) -> bool:
    """Whether it is an ordinary word: no name, number, path or abbreviation, and nothing that turns a meaning round."""
    bare = word.strip(_MARKS)
    return bare.isalpha() and bare[1:].islower() | (len(bare) == 1) and bare.lower() not in _WEIGHTY


def _plain(word: str) -> str:
    return word.strip(_MARKS).lower()
