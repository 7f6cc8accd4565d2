"""What adapters are for, and which of them suit a question: pure, from embeddings of unit length.

A domain is the mean direction of its questions' embeddings. A question lies in it when it is about as near to that as
the domain's own questions are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shammah.features import Vector
from shammah.generation import ActiveSet
from shammah.records.adapters import Domain

Way = Literal["nearest", "blend"]
"""How adapters are chosen: the one of the nearest domain, or those of all near ones by their shares."""

LEAST_QUESTIONS = 3
"""Of fewer no spread can be told."""
LEAST_COMMON = 0.1
"""Between MiniLM's embeddings of questions that have nothing in common cosines are about 0."""
OUTSIDE = 0.1
"""Such a share of a domain's own questions may lie farther out than its reach."""
TEMPERATURE = 0.05
"""Of a blend: a domain whose cosine is smaller by this gets 1/e of the share."""
LEAST_SHARE = 0.1
MOST_BLENDED = 3
TINY = 1e-12

Learnt = Callable[[Domain], NDArray[np.float32]]
"""Embeddings of corrections that what is active has learnt, and the domain's adapter has not: (corrections, width)."""


@dataclass(frozen=True, slots=True)
class Centre:
    """Where some questions lie.

    Attributes:
        centroid: Their mean direction, of unit length.
        reach: From this cosine to it on another question is like them.
        common: How near each is to the mean of the others, on average: a cosine.
    """

    centroid: Vector
    reach: float
    common: float


def centre(questions: Sequence[Vector]) -> Centre:
    """The mean direction of questions, and how far they spread.

    A question is near to a mean that holds itself, and so are its other wordings; one more of its kind is only as near
    as each is to the mean of the others. The reach lies half way between the two.
    """
    assert len(questions) >= LEAST_QUESTIONS, f"{len(questions)} questions tell no spread"
    rows = np.stack(questions).astype(np.float64)
    total = rows.sum(axis=0)
    others = total - rows  # row by row, the sum of the other questions
    apart = (rows * others).sum(axis=1) / np.maximum(np.linalg.norm(others, axis=1), TINY)
    centroid = total / max(float(np.linalg.norm(total)), TINY)
    reach = float(np.quantile((rows @ centroid + apart) / 2, OUTSIDE))
    return Centre(centroid.astype(np.float32), reach, float(apart.mean()))


def choose(question: Vector, domains: Sequence[Domain], way: Way, learnt: Learnt) -> ActiveSet:
    """The adapters that suit a question, with their scales; none where it lies in no domain.

    A correction that what is active has learnt, and the domain's adapter has not, is no matter of that domain's: where
    one is nearer to the question than the domain is, what is active answers.
    """
    near = [(float(domain.centroid @ question), domain) for domain in domains]
    near = [(cosine, domain) for cosine, domain in near if cosine >= domain.reach]
    near = [(cosine, domain) for cosine, domain in near if not _is_corrected(question, cosine, learnt(domain))]
    near.sort(key=lambda pair: (-pair[0], pair[1].adapter))
    if way == "nearest":
        return tuple((domain.adapter, 1.0) for _, domain in near[:1])
    return _blended(near[:MOST_BLENDED])


def _is_corrected(question: Vector, cosine: float, corrections: NDArray[np.float32]) -> bool:
    return bool(len(corrections)) and float((corrections @ question).max()) > cosine


def _blended(near: Sequence[tuple[float, Domain]]) -> ActiveSet:
    """Shares that add up to one, by how near each domain is; a share that is hardly any falls to the others."""
    if not near:
        return ()
    weights = np.exp([(cosine - near[0][0]) / TEMPERATURE for cosine, _ in near])
    kept = [place for place, share in enumerate(weights / weights.sum()) if share >= LEAST_SHARE]
    total = weights[kept].sum()
    return tuple((near[place][1].adapter, round(float(weights[place] / total), 2)) for place in kept)
