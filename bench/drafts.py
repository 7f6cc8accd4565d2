"""Drafts of the seedling: what the early verdict saves and loses, and what a second answer tells.

`python -m bench.drafts` asks the seedling its evaluation, greedily and once more by chance, and simulates a validator
that learns from half of the answers (whole ones) and judges the other half, early and at the end. A good answer is
one with a right first line; of questions out of scope, and of those whose answer is not known, none is.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import scores
from bench.outcomes import TEACHERS
from bench.routing_cost import open_embedder
from models.seedling.phrasings import is_right, read_cases, read_intents, read_out_of_scope
from shammah import early, features, policy
from shammah.answer_figures import same_result
from shammah.bases import SEEDLING
from shammah.divergence import measure
from shammah.drafting import SECOND_TEMPERATURE
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES, Features, Vector
from shammah.generation import Completion, End, Finish, Sampling, collect
from shammah.heads import VALIDATOR, Head
from shammah.local import LocalModel
from shammah_convert.chat import Message

HAND = len(QUESTION_FEATURES) + len(ANSWER_FEATURES)
MOST_TOKENS = 256
TOKENS_A_WORD = 1.4
BARS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Draft:
    """A greedy answer as the validator sees it, at its beginning and whole.

    Attributes:
        beginning: After the early verdict's tokens; as `whole` where it is no longer than that.
        agrees: Whether a second answer says the same.
    """

    beginning: Vector
    whole: Vector
    tokens: int
    is_good: bool
    agrees: bool


def drafts(tokens: int, limit: int) -> Iterator[Draft]:
    """Ask the seedling; every n-th question of the evaluation, so that about `limit` are asked."""
    known = {intent.id: intent for intent in read_intents()}
    asked = [(question, known[name]) for name, cases in read_cases().items() for question in cases]
    asked = asked[:: max(1, len(asked) // limit)]
    embedder = open_embedder()
    with LocalModel(SEEDLING, threads=1, gpu_layers=0) as model:
        for question, intent in [*asked, *((question, None) for question in read_out_of_scope())]:
            first = _ask(model, question, Sampling(MOST_TOKENS))
            second = _ask(model, question, Sampling(MOST_TOKENS, SECOND_TEMPERATURE, seed=1))
            is_good = intent is not None and is_right(first.text.split("\n", 1)[0], intent)
            agrees = measure(first.text, second.text, embedder.embed if embedder else None).is_small
            begun = _beginning(first, tokens)
            yield Draft(_see(question, begun), _see(question, first), first.end.completion_tokens, is_good, agrees)


def recorded(file: Path, tokens: int) -> Iterator[Draft]:
    """Recorded answers of a `*_validate*.jsonl`: text alone, a word for 1.4 tokens, finished.

    The second answer is the next model's of the same question, and agrees where it has the same result.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        groups.setdefault(row["id"], []).append(row)
    for rows in groups.values():
        locals_ = sorted(
            (row for row in rows if not row["model"].startswith(TEACHERS)), key=lambda row: str(row["model"])
        )
        for row, other in zip(locals_, locals_[1:] + locals_[:1], strict=True):
            words = row["answer"].split(" ")
            whole = Completion(row["answer"], End(Finish.STOP, 0, round(len(words) * TOKENS_A_WORD)))
            begun = replace(whole, text=" ".join(words[: round(tokens / TOKENS_A_WORD)]))
            agrees = row is not other and same_result(row["answer"], other["answer"])
            early_seen, seen = (_see(row["query"], one) for one in (begun, whole))
            yield Draft(early_seen, seen, whole.end.completion_tokens, bool(row["correct"]), agrees)


def _ask(model: LocalModel, question: str, sampling: Sampling) -> Completion:
    return collect(model.stream([Message("user", question)], sampling))


def _beginning(answer: Completion, tokens: int) -> Completion:
    """An answer's first tokens as if they were all; cut by characters, a token is about as long as the others."""
    length = len(answer.logprobs)
    if length <= tokens:
        return answer
    text = answer.text[: len(answer.text) * tokens // length]
    return Completion(text, End(Finish.STOP, 0, tokens), answer.logprobs[:tokens])


def _see(question: str, answer: Completion) -> Vector:
    return np.concatenate([features.of_question(question), features.of_answer(question, answer)])


@dataclass(frozen=True, slots=True)
class Judged:
    """What a validator says of drafts that it did not learn from: each array (drafts,)."""

    early: NDArray[np.float64]
    late: NDArray[np.float64]
    is_good: NDArray[np.bool_]
    agrees: NDArray[np.bool_]
    tokens: NDArray[np.int64]

    @classmethod
    def by_half(cls, found: Sequence[Draft], seed: int, weight: float = 0.5) -> "Judged":
        """Learn one half in a random order, at the weight of a comparison by similarity; judge the other."""
        order = np.random.default_rng(seed).permutation(len(found))
        head = Head.fresh("bayes", HAND, VALIDATOR)
        learnt = [found[place] for place in order[: len(order) // 2]]
        head.grow([head.learn(Features(draft.whole), draft.is_good, weight, 0) for draft in learnt])
        rest = [found[place] for place in order[len(order) // 2 :]]
        return cls(
            np.array([head.by_line(Features(draft.beginning)) for draft in rest]),
            np.array([head.probability(Features(draft.whole)) for draft in rest]),
            np.array([draft.is_good for draft in rest]),
            np.array([draft.agrees for draft in rest]),
            np.array([draft.tokens for draft in rest]),
        )

    def stopping(self, bar: float, tokens: int) -> tuple[float, float, float]:
        """Shares: stopped of drafts rejected at the end, lost of good ones accepted, saved of tokens wasted."""
        is_stopped = (self.early < bar) & (self.tokens > tokens)
        is_rejected = self.late < policy.THRESHOLD
        wasted = self.tokens[is_rejected].sum()
        saved = (self.tokens - tokens)[is_stopped & is_rejected].sum()
        return (
            float(is_stopped[is_rejected].mean()),
            float(is_stopped[~is_rejected & self.is_good].mean()),
            float(saved / max(1, wasted)),
        )

    def undecided(self) -> NDArray[np.bool_]:
        """Which drafts are near the threshold."""
        return np.abs(self.late - policy.THRESHOLD) <= policy.UNDECIDED


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what both are worth on the seedling."""
    parser = argparse.ArgumentParser(prog="python -m bench.drafts", description=main.__doc__)
    parser.add_argument("--tokens", type=int, default=early.TOKENS, help="of a draft that the early verdict sees")
    parser.add_argument("--questions", type=int, default=1500, help="of the evaluation, about")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--data", type=Path, help="a file of recorded answers, in the seedling's place")
    options = parser.parse_args(arguments)
    given: Path | None = options.data
    found = list(recorded(given, options.tokens) if given else drafts(options.tokens, options.questions))
    judged = [Judged.by_half(found, seed) for seed in range(options.splits)]
    good = np.array([draft.is_good for draft in found])
    lengths = np.array([draft.tokens for draft in found])
    print(f"{len(found)} drafts, {good.mean():.0%} good; tokens: median {np.median(lengths):.0f}, most {lengths.max()}")
    _tell_early(judged, options.tokens)
    _tell_second(judged)


def _tell_early(judged: Sequence[Judged], tokens: int) -> None:
    ways = {"whole": [one.late for one in judged], f"first {tokens} tokens": [one.early for one in judged]}
    for name, values in ways.items():
        auroc = np.mean([scores.auroc(one.is_good, p) for one, p in zip(judged, values, strict=True)])
        print(f"AUROC, {name}: {auroc:.3f}")
    for bar in BARS:
        stopped, lost, saved = np.mean([one.stopping(bar, tokens) for one in judged], axis=0)
        print(
            f"stop below {bar:.2f}: {stopped:.1%} of rejected drafts, {saved:.1%} of their tokens, lost {lost:.2%} good"
        )


def _tell_second(judged: Sequence[Judged]) -> None:
    everything = [np.ones_like(one.is_good) for one in judged]
    for name, within in {"all": everything, "undecided": [one.undecided() for one in judged]}.items():
        agrees = np.concatenate([one.agrees[mask] for one, mask in zip(judged, within, strict=True)])
        good = np.concatenate([one.is_good[mask] for one, mask in zip(judged, within, strict=True)])
        print(
            f"{name} ({len(good) / len(judged):.0f} a split, {good.mean():.0%} good): a second answer agrees with"
            f" {agrees[good].mean():.2f} of good ones, {agrees[~good].mean():.2f} of bad"
        )


if __name__ == "__main__":
    main()
