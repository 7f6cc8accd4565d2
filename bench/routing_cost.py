"""What one routing decision costs, embedding included, and what one lesson costs; on one thread."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from bench.measure import Row, percentile, watching
from bench.shapes import MODELS
from shammah import embedding, features
from shammah.features import QUESTION_FEATURES, Features, Vector
from shammah.heads import Head
from shammah.local import Embedder

CORPUS = Path(__file__).parents[1] / "models" / "seedling" / "corpus"
AIM_MS = 10.0
HAND = len(QUESTION_FEATURES)
# numpy's matrix products would take every core for a matrix of 670 x 670.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


def measure(rounds: int) -> list[Row]:
    """All rows, from a child whose libraries start with one thread."""
    command = [sys.executable, "-m", "bench.routing_cost", str(rounds)]
    child = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True, check=True)
    return [Row(**row) for row in json.loads(child.stdout)]


def questions(count: int) -> list[str]:
    """Real questions, spread over the corpus."""
    phrasings: list[str] = []
    for file in sorted(CORPUS.glob("*.toml")):
        for intent in tomllib.loads(file.read_text("utf-8"))["intent"]:
            phrasings += intent["phrasings"].split("\n")
    phrasings = [line.strip() for line in phrasings if line.strip()]
    return phrasings[:: max(1, len(phrasings) // count)][:count]


def rows(rounds: int) -> Iterator[Row]:
    """Measure a decision and a lesson; without an embedder, on the hand features alone, and named so."""
    embedder, asked = open_embedder(), questions(rounds)
    see = Seer(embedder)
    head = Head.fresh("bayes", HAND)
    for number, question in enumerate(asked[:8]):  # it takes its full width from the first embedding
        head.learn(see(question), bool(number % 2), 0.5, number)
    inputs = f"{head.learner.width} inputs{'' if embedder else ', NO EMBEDDER on this machine'}"
    yield _row(f"routing decision, {inputs}", asked, lambda question: head.probability(see(question)), AIM_MS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "router.npz"
        yield _row(f"lesson (learn and save), {inputs}", asked[:50], Lesson(head, see(asked[0]), file), None)
        yield _row("opening the head of a saved file", asked[:50], lambda _: Head.load(file, "bayes", HAND), None)
    if embedder:
        yield _row("opening the embedder", asked[:10], lambda _: _opened_and_closed(), None)
        embedder.close()


class Seer:
    """What the router sees of a question."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder

    def __call__(self, question: str) -> Features:
        """All inputs of the head but the bias."""
        vector: Vector | None = self._embedder.embed(question) if self._embedder else None
        return Features(features.of_question(question), vector)


class Lesson:
    """One lesson, learnt and on the disk."""

    def __init__(self, head: Head, seen: Features, file: Path) -> None:
        self._head, self._seen, self._file = head, seen, file

    def __call__(self, _question: str) -> None:
        """Take it in once more."""
        self._head.learn(self._seen, True, 0.5, self._head.cursor + 1)
        self._head.save(self._file)


def open_embedder() -> Embedder | None:
    """MiniLM, converted the first time; None where its weights are not on this machine."""
    file = _embedder_file()
    return None if file is None else Embedder(file)


def _embedder_file() -> Path | None:
    source = embedding.find_source()
    return embedding.ready(MODELS) or (embedding.build(MODELS, source) if source else None)


def _opened_and_closed() -> None:
    embedder = open_embedder()
    assert embedder is not None, "it was there before"
    embedder.close()


def _row(name: str, asked: list[str], work: Callable[[str], object], aim_ms: float | None) -> Row:
    with watching() as others:
        for question in asked[:3]:
            work(question)
        times = [_milliseconds(work, question) for question in asked]
    median = statistics.median(times)
    return Row(
        name=name,
        value=median,
        low=min(times),
        high=max(times),
        unit="ms",
        aim=f"< {aim_ms:g}" if aim_ms else None,
        is_reached=median < aim_ms if aim_ms else None,
        detail=f"p95 {percentile(times, 0.95):.2f} ms, {len(times)} times",
        others=others.cores,
    )


def _milliseconds(work: Callable[[str], object], question: str) -> float:
    start = time.perf_counter()
    work(question)
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in rows(int(sys.argv[1]))]))
