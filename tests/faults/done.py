"""What must hold once a verb is done: each raises AssertionError where it does not, and hears what acknowledged it."""

import json

from shammah.adapters import hash_of
from shammah.database import SCHEMA_VERSION, examine
from shammah.records.questions import Question
from tests.faults.ground import DOOMED, OLD_QUESTIONS, OUTSIDE, Ground, hash_of_all

TARGET, EDITED = "cp -a acknowledged", "ls -A acknowledged"


def _question(ground: Ground, id: str) -> Question:
    with ground.home.journal() as journal:
        question = journal.question(id)
    assert question is not None, f"question {id} is lost"
    return question


def answered(ground: Ground, said: str) -> None:
    """The answer that was written is the one that is kept."""
    told = json.loads(said)
    question = _question(ground, told["id"])
    with ground.home.journal() as journal:
        shown = journal.shown(question)
    assert shown is not None, "an answer that was shown is lost"
    assert shown.text == told["answer"]


def rated(ground: Ground, _: str) -> None:
    """The answer that the user wanted is what is learnt."""
    shown = _question(ground, ground.facts.unrated)
    with ground.home.journal() as journal:
        targets = [e.completion[0].content for e in journal.examples.live() if e.prompt == shown.context]
    assert targets == [TARGET], targets


def edited(ground: Ground, _: str) -> None:
    """The example has the new target."""
    with ground.home.journal() as journal:
        kept = journal.examples.find(ground.facts.example)
    assert kept is not None
    assert [message.content for message in kept.example.completion] == [EDITED]


def accepted(ground: Ground, _: str) -> None:
    """What came from outside is learnt."""
    with ground.home.journal() as journal:
        kept = journal.examples.find(ground.facts.waiting)
    assert kept is not None
    assert kept.state == "live"


def received(ground: Ground, _: str) -> None:
    """What came from outside waits."""
    with ground.home.journal() as journal:
        assert journal.quarantine.questions().count(OUTSIDE) > 1


def trained(ground: Ground, _: str) -> None:
    """The last training's adapter answers."""
    with ground.home.journal() as journal:
        last = journal.trainings.last()
    assert last is not None
    assert last.state == "promoted", last
    assert ground.active() == (last.adapter,)


def rolled_back(ground: Ground, _: str) -> None:
    """What was active before answers."""
    assert ground.active() == ("corrections-v1",)


def gone_back(ground: Ground, _: str) -> None:
    """What a checkpoint holds answers, and that can be undone."""
    rolled_back(ground, "")
    why = f"before the rollback to {ground.facts.checkpoint}"
    with ground.home.journal() as journal:
        assert why in [one.why for one in journal.checkpoints.all()], "it cannot be undone"


def converted(ground: Ground, _: str) -> None:
    """The model is there whole, and nothing beside it."""
    assert hash_of_all(ground.outside) == {"out.gguf": hash_of(ground.folder / "converted.gguf")}


def exported(ground: Ground, _: str) -> None:
    """The adapter is there whole, and nothing beside it."""
    with ground.home.journal() as journal:
        adapter = journal.adapters.find("corrections-v1")
    assert adapter is not None
    assert hash_of_all(ground.outside) == {"out.gguf": adapter.sha256}


def taken_in(ground: Ground, _: str) -> None:
    """The adapter from outside is the file that was given."""
    with ground.home.journal() as journal:
        adapter = journal.adapters.find("foreign")
    assert adapter is not None
    assert hash_of(ground.foreign_adapter) == adapter.sha256


def migrated(ground: Ground, _: str) -> None:
    """The journal is of this version, with all that it held."""
    assert examine(ground.home.path / "shammah.db") == (SCHEMA_VERSION, [], OLD_QUESTIONS)


def erased(ground: Ground, _: str) -> None:
    """No file holds a word of it, whatever was killed within."""
    holding = [file for file in ground.home.path.rglob("*") if file.is_file() and DOOMED.encode() in file.read_bytes()]
    assert holding == [], holding
    _question(ground, ground.facts.unrated)


def emptied(ground: Ground, _: str) -> None:
    """Nothing that was asked or learnt is left."""
    with ground.home.journal() as journal:
        assert (journal.recent(1), journal.adapters.all()) == ([], [])
    left = [file for file in ground.home.path.rglob("*") if file.is_file() and DOOMED.encode() in file.read_bytes()]
    assert left == [], left
    assert not list((ground.home.path / "jobs").glob("*"))
