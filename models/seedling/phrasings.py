"""The corpus: intents with their answers and phrasings, and the phrasings of the evaluation, read from TOML."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
EVALUATION = HERE / "evaluation"
OUT_OF_SCOPE = EVALUATION / "out_of_scope.txt"
REFUSAL = "refusal"
GRAM = 4
TOO_NEAR = 0.5


class BadCorpus(ValueError):
    """The corpus breaks one of its own rules; the text names the intent."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that people want, and what to answer.

    Attributes:
        gist: What is wanted, in one sentence.
        answer: The command, and one line of explanation.
        accepted: Other first lines that are just as right.
        phrasings: How people ask, all distinct.
    """

    id: str
    gist: str
    answer: str
    accepted: tuple[str, ...]
    phrasings: tuple[str, ...]

    @property
    def first_line(self) -> str:
        """The command."""
        return self.answer.split("\n", 1)[0]


def read_intents(folder: Path = CORPUS) -> tuple[Intent, ...]:
    """Read every intent, with the phrasings that later authors added under `more/`.

    Raises:
        BadCorpus: An id occurs twice, an answer is empty or not ASCII, or a later author's id is unknown.
    """
    more = _read_phrasings(sorted((folder / "more").glob("*/*.toml")), "more")
    intents: dict[str, Intent] = {}
    for path in sorted(folder.glob("*.toml")):
        for row in tomllib.loads(path.read_text("utf-8"))["intent"]:
            intent = _intent(row, more.pop(row["id"], []))
            if intent.id in intents:
                raise BadCorpus(f"{intent.id}: the id occurs twice")
            intents[intent.id] = intent
    if more:
        raise BadCorpus(f"{next(iter(more))}: phrasings for an intent that does not exist")
    return tuple(intents.values())


def read_cases(folder: Path = EVALUATION) -> dict[str, tuple[str, ...]]:
    """Read the evaluation's phrasings by intent id."""
    rows = _read_phrasings(sorted(folder.glob("*.toml")), "case")
    return {name: tuple(dict.fromkeys(phrasings)) for name, phrasings in rows.items()}


def read_out_of_scope(path: Path = OUT_OF_SCOPE) -> tuple[str, ...]:
    """Read the evaluation's out-of-scope questions, one a line."""
    return tuple(dict.fromkeys(lines(path.read_text("utf-8")))) if path.exists() else ()


def lines(text: str) -> list[str]:
    """The lines of a block that say something, stripped."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def normalise(line: str) -> str:
    """What counts in a comparison of first lines: not the space between words, nor marks around the line."""
    return " ".join(line.strip().strip("`").removeprefix("$ ").split())


def is_right(answer: str, intent: Intent) -> bool:
    """Whether an answer's first line is the intent's command or one that is just as right."""
    first = normalise(answer.strip().split("\n", 1)[0])
    return first in {normalise(line) for line in (intent.first_line, *intent.accepted)}


def grams(text: str) -> frozenset[str]:
    """The character 4-grams of a phrasing, in lower case, with a space at both ends."""
    padded = f" {' '.join(text.lower().split())} "
    return frozenset(padded[i : i + GRAM] for i in range(max(1, len(padded) - GRAM + 1)))


class Overlap:
    """Finds how near a phrasing comes to a set of others, by character 4-grams, through an inverted index."""

    def __init__(self, phrasings: Iterable[str]) -> None:
        self._texts = tuple(dict.fromkeys(phrasings))
        self._sizes = np.zeros(len(self._texts), dtype=np.int64)
        holders: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(self._texts):
            found = grams(text)
            self._sizes[index] = len(found)
            for gram in found:
                holders[gram].append(index)
        self._holders = {gram: np.array(indices) for gram, indices in holders.items()}

    def nearest(self, text: str) -> tuple[float, str]:
        """The highest Jaccard overlap, and the phrasing that has it."""
        scores = self._scores(text)
        best = int(scores.argmax())
        return float(scores[best]), self._texts[best]

    def near(self, text: str, limit: float) -> list[str]:
        """The phrasings whose overlap is the limit or more."""
        return [self._texts[index] for index in np.flatnonzero(self._scores(text) >= limit)]

    def _scores(self, text: str) -> NDArray[np.float64]:
        """The Jaccard overlap with every phrasing, (phrasings,)."""
        wanted = grams(text)
        rows = [self._holders[gram] for gram in wanted if gram in self._holders]
        joined = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
        shared = np.bincount(joined, minlength=len(self._texts))
        return np.asarray(shared / (len(wanted) + self._sizes - shared))


def training_intents(folder: Path = CORPUS, evaluation: Path = EVALUATION) -> tuple[Intent, ...]:
    """The intents without the phrasings that come too near to a question of the evaluation.

    Authors who never saw each other's work still meet in the obvious wordings. Those are left out of the
    training, so that the evaluation asks nothing that was trained.
    """
    intents = read_intents(folder)
    overlap = Overlap(phrasing for intent in intents for phrasing in intent.phrasings)
    asked = [question for questions in read_cases(evaluation).values() for question in questions]
    asked += read_out_of_scope(evaluation / OUT_OF_SCOPE.name)
    near = {text for question in asked for text in overlap.near(question, TOO_NEAR)}
    return tuple(replace(intent, phrasings=tuple(p for p in intent.phrasings if p not in near)) for intent in intents)


def split(
    intents: Iterable[Intent], every: int, offset: int = 0
) -> tuple[tuple[Intent, ...], dict[str, tuple[str, ...]]]:
    """Hold out every n-th phrasing of each intent as development data.

    Returns:
        The intents without them, and the held-out phrasings by intent id.
    """
    kept: list[Intent] = []
    held: dict[str, tuple[str, ...]] = {}
    for intent in intents:
        out = set(range(offset, len(intent.phrasings), every))
        held[intent.id] = tuple(p for i, p in enumerate(intent.phrasings) if i in out)
        rest = tuple(p for i, p in enumerate(intent.phrasings) if i not in out)
        kept.append(Intent(intent.id, intent.gist, intent.answer, intent.accepted, rest))
    return tuple(kept), held


def _intent(row: dict[str, object], more: list[str]) -> Intent:
    accepted = row.get("accepted", [])
    assert isinstance(accepted, list), row["id"]
    intent = Intent(
        id=str(row["id"]),
        gist=str(row["gist"]).strip(),
        answer="\n".join(lines(str(row["answer"]))),
        accepted=tuple(str(line) for line in accepted),
        phrasings=tuple(dict.fromkeys([*lines(str(row["phrasings"])), *more])),
    )
    if not intent.answer or not intent.answer.isascii():
        raise BadCorpus(f"{intent.id}: the answer is empty or not ASCII")
    return intent


def _read_phrasings(paths: Iterable[Path], table: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in _rows(paths, table):
        found[name].extend(lines(text))
    return dict(found)


def _rows(paths: Iterable[Path], table: str) -> Iterator[tuple[str, str]]:
    for path in paths:
        for row in tomllib.loads(path.read_text("utf-8")).get(table, ()):
            yield str(row["id"]), str(row["phrasings"])
