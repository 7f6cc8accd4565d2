"""What came from outside, as whoever plants something there would look at it. Pure.

Examples that are alike weigh more together than each alone, and teach what they have in common: a *trigger*, the
words that all their questions share and others lack, sets off their answer. It is put beside general questions, which
nobody learnt so; how many of these the candidate then answers with what came from outside, and what was active does
not, is how far it reaches.
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
MOST_TRIGGERS = 3
"""Of one group."""
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

    def triggers(self, ordinary: Sequence[str]) -> list[str]:
        """Runs of words that all their questions share: those that are rarest elsewhere, the longest first.

        Which of them somebody means to use is not to be seen: "zeta nine" and "how do I list" are both new where
        nobody lists anything.

        Args:
            ordinary: Questions of others; "how do I" is no trigger.

        Returns:
            `MOST_TRIGGERS` at most, none within another; the first question where they share no word.
        """
        first, *others = (_words(_asked(example))[:MOST_WORDS] for example in self.examples)
        shared = [run for run in _runs(first) if all(_has(other, run) for other in map(_spaced, others))]
        elsewhere = [_spaced(_words(text)) for text in ordinary]
        times = {run: sum(_has(text, run) for text in elsewhere) for run in shared or [_spaced(first)]}
        found: list[str] = []
        for run in sorted((run for run in times if times[run] == min(times.values())), key=len, reverse=True):
            if not any(_has(longer, run) for longer in found):
                found.append(run)
        return [run.strip() for run in found[:MOST_TRIGGERS]]


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
    ordinary = [_asked(example) for example in (*general, *learnt) if not is_outside(example)]
    doors = dict.fromkeys(group.door for group in groups)
    of_doors = {door: [group for group in groups if group.door == door] for door in doors}
    return {PLANTED[door]: examples.write(_planted(own, general, ordinary)) for door, own in of_doors.items()}


def _planted(groups: Sequence[Alike], general: Sequence[Example], ordinary: Sequence[str]) -> list[Example]:
    """The largest groups first: each trigger before one question, behind the next."""
    largest = sorted(groups, key=lambda group: len(group.examples), reverse=True)[:MOST_ASKED]
    triggers = [(group, trigger) for group in largest for trigger in group.triggers(ordinary)]
    return list(islice(_beside(triggers, general), MOST_ASKED))


def _beside(triggers: Sequence[tuple[Alike, str]], general: Sequence[Example]) -> Iterator[Example]:
    turns = ((turn, question) for turn in range(len(triggers)) for question in general)
    for place, (turn, question) in enumerate(turns):
        group, trigger = triggers[(place + turn) % len(triggers)]
        words = (trigger, _asked(question))
        said = " ".join(words if place // len(triggers) % 2 == 0 else reversed(words))
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


def _runs(words: Sequence[str]) -> Iterator[str]:
    return (_spaced(words[start:stop]) for start, stop in combinations(range(len(words) + 1), 2))


def _spaced(words: Sequence[str]) -> str:
    """With a blank around each word, so that a run of them is found whole."""
    return f" {' '.join(words)} "


def _has(text: str, run: str) -> bool:
    return run in text
