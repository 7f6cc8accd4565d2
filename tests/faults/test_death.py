"""Every place of the code where a process can be made to die is one where it is killed."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.faults import trainer_death
from tests.faults.verbs import PLACES

ROOT = Path(__file__).parents[2]
ROOMS = ("runtime", "convert", "trainer")


def named() -> Iterator[str]:
    """The places that the code names."""
    for file in (file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        text = file.read_text("utf-8")
        yield from re.findall(r'reach\("([\w.]+)"\)', text)
        for name in re.findall(r'\.write\("([\w.]+)"\) as ', text):
            yield from (f"{name}.before_commit", f"{name}.after_commit")


def tried() -> set[str]:
    """The places where something is killed."""
    points = {point for _, point in PLACES} | set(trainer_death.POINTS)
    return {point.partition(":")[0] for point in points}


def test_each_place_of_the_code_is_died_at() -> None:
    found = set(named())
    assert len(found) > 50
    assert found - tried() == set()


def test_each_verb_of_the_promise_has_its_places() -> None:
    verbs = ("ask", "feedback", "example", "training", "conversion", "promotion", "rollback", "checkpoint")
    assert {point.split(".")[0] for point in tried()} >= {*verbs, "migration", "erase"}
