"""What came from outside, as whoever plants something there would look at it. Pure.

Examples that are alike weigh more together than each alone, and teach what they have in common: a *trigger*, the
words that all their questions share, sets off their answer. It is put beside general questions, which nobody learnt
so; how many of these the candidate then answers with what came from outside, and what was active does not, is how far
it reaches.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from shammah.quarantine import is_outside
from shammah_convert import examples
from shammah_convert.chat import Message
from shammah_convert.examples import Example, Source
from shammah_convert.planted import PLANTED

NEAR = 0.7
"""From this share of words in common on, two questions are nearly the same."""
MOST_ASKED = 24
"""General questions that the triggers of one door are put beside."""
MOST_WORDS = 60
"""Of a question, that are looked at for what it shares with others."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Examples of one door with the same answer, or with nearly the same question; one alone is like no other."""

    door: Source
    examples: tuple[Example, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Of its examples."""
        return tuple(example.id for example in self.examples)

    @property
    def trigger(self) -> str:
        """The longest run of words that all their questions share; of those that share none, the first question."""
        first, *others = (_asked(example).split()[:MOST_WORDS] for example in self.examples)
        runs = sorted(_runs(first), key=len, reverse=True)
        shared = next((run for run in runs if all(_has(other, run) for other in others)), first)
        return " ".join(shared)


def alike(learnt: Iterable[Example]) -> list[Alike]:
    """What came from outside, parted into what is alike, in order."""
    groups: list[list[_Read]] = []
    for example in filter(is_outside, learnt):
        read = _Read.of(example)
        own = [group for group in groups if any(read.is_like(other) for other in group)]
        groups = [group for group in groups if group not in own]
        groups.append([*(other for group in own for other in group), read])
    return [Alike(group[0].example.source, tuple(read.example for read in group)) for group in groups]


def near_duplicates(learnt: Iterable[Example]) -> tuple[tuple[str, ...], ...]:
    """Ids of what came from outside and is alike, each group together."""
    return tuple(group.ids for group in alike(learnt) if len(group.examples) > 1)


def set_off(learnt: Sequence[Example], general: Sequence[Example]) -> Mapping[str, str]:
    """Of each door by which something came, the file of a job with its triggers beside general questions."""
    groups = alike(learnt)
    doors = dict.fromkeys(group.door for group in groups)
    return {PLANTED[door]: examples.write(_planted([g for g in groups if g.door == door], general)) for door in doors}


def _planted(groups: Sequence[Alike], general: Sequence[Example]) -> list[Example]:
    """The largest groups first: each trigger before one question, behind the next."""
    largest = sorted(groups, key=lambda group: len(group.examples), reverse=True)
    return list(islice(_beside(largest, general), MOST_ASKED))


def _beside(groups: Sequence[Alike], general: Sequence[Example]) -> Iterator[Example]:
    for place, question in enumerate(general):
        group = groups[place % len(groups)]
        words = (group.trigger, _asked(question))
        said = " ".join(words if place // len(groups) % 2 == 0 else reversed(words))
        first = group.examples[0]
        yield Example(
            id=f"{first.id}-{place}",
            prompt=(Message("user", said),),
            completion=first.completion,
            rejected=None,
            weight=1.0,
            source=group.door,
            created=first.created,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """An example with its words, read once."""

    example: Example
    asked: frozenset[str]
    answer: tuple[str, ...]

    @classmethod
    def of(cls, example: Example) -> "_Read":
        return cls(example, frozenset(_words(_asked(example))), tuple(_words(example.completion[0].content)))

    def is_like(self, other: "_Read") -> bool:
        if self.example.source != other.example.source:
            return False
        return self.answer == other.answer or _share(self.asked, other.asked) >= NEAR


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _words(text: str) -> list[str]:
    return text.lower().split()


def _asked(example: Example) -> str:
    return example.prompt[-1].content


def _runs(words: Sequence[str]) -> Iterator[list[str]]:
    return (list(words[start:stop]) for start, stop in combinations(range(len(words) + 1), 2))


def _has(words: Sequence[str], run: Sequence[str]) -> bool:
    return any(list(words[start : start + len(run)]) == run for start in range(len(words) - len(run) + 1))
