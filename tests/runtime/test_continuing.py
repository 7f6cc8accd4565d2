"""A training goes on from what is active where nothing in that has to be forgotten, and starts afresh where it does."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import adapters, bases, config, general, naming
from shammah.continuing import is_sound
from shammah.feedback import Feedback, rate
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.memory import job_folder
from shammah.policy import Reason, Side
from shammah.records.bases import Base
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.settings import Settings
from shammah.training import Trainer
from shammah_convert.chat import Message
from shammah_convert.examples import Example, write
from shammah_convert.job import Job
from tests.fake_trainer import FakeTrainer
from tests.tiny import write_tiny


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "home").mkdir()
    write_tiny(tmp_path / "tiny.gguf")
    return config.load({"SHAMMAH_HOME": str(tmp_path / "home"), "SHAMMAH_MODEL_PATH": str(tmp_path / "tiny.gguf")})


@pytest.fixture
def journal(settings: Settings) -> Iterator[Journal]:
    with Journal(settings.home) as journal:
        yield journal


@pytest.fixture
def base(journal: Journal, settings: Settings) -> Base:
    base = bases.identify(journal, bases.resolve(settings.model.path))
    file = general.cache_file(settings.home, base.sha256)
    file.parent.mkdir(exist_ok=True)
    own = [Example(id, (Message("user", id),), (Message("assistant", "Hi"),), None, 1.0, "self", "") for id in "ab"]
    file.write_text(write(own))
    return base


def correct(journal: Journal, text: str) -> str:
    """Correct an answer; the id of what is learnt from that."""
    question = journal.begin("here", "base", [Message("user", text)], 0, True)
    journal.save(question, [NewAnswer(Side.LOCAL, True, "x", Reason.FORCED, Finish.STOP, "m", (), False, 1, 1, {})])
    rate(journal, question, Feedback(Rating.CRITICAL, "", f"right of {text}"), has_teacher=False)
    return journal.examples.live()[-1].id


def train(settings: Settings, journal: Journal, base: Base, continue_active: bool | None = None) -> bool:
    """Train, and whether that went on from what was active."""
    wanted = replace(settings.trainer, python=FakeTrainer().write(settings.home))
    if continue_active is not None:
        wanted = replace(wanted, continue_active=continue_active)
    trainer = Trainer(replace(settings, trainer=wanted), journal, lambda base: LocalModel(Path(base.path)))
    ended = trainer.start(base, is_forced=False)
    assert ended.state == "promoted"
    return Job.read(job_folder(settings.home, ended.number)).plan.continues


def test_the_first_training_starts_afresh_and_the_next_goes_on(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    assert not train(settings, journal, base)
    correct(journal, "two")
    assert train(settings, journal, base)


def test_what_a_dropped_example_left_is_not_gone_on_from(settings: Settings, journal: Journal, base: Base) -> None:
    dropped = correct(journal, "one")
    correct(journal, "two")
    train(settings, journal, base)
    train(settings, journal, base)
    journal.examples.drop(dropped)
    assert not train(settings, journal, base), "it learnt from it"
    assert train(settings, journal, base), "afresh, that never did"


def test_an_adapter_has_learnt_what_those_that_it_went_on_from_have(
    settings: Settings, journal: Journal, base: Base
) -> None:
    dropped = correct(journal, "one")
    train(settings, journal, base)
    journal.examples.drop(dropped)
    correct(journal, "two")
    assert train(settings, journal, base, continue_active=True), "as somebody insists"
    assert not is_sound(settings.home, journal, base.sha256), "the first of the two learnt what was dropped"


def test_renamed_adapters_are_gone_on_from(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    train(settings, journal, base)
    correct(journal, "two")
    assert train(settings, journal, base)
    for old, new in (("corrections-v1", "first"), ("corrections-v2", "corrections-v1")):
        naming.rename(journal, adapters.find(journal, old), new)
    assert train(settings, journal, base)


def test_of_a_training_whose_job_is_gone_nobody_knows_what_it_went_on_from(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    train(settings, journal, base)
    assert is_sound(settings.home, journal, base.sha256)
    shutil.rmtree(job_folder(settings.home, 1))
    assert not is_sound(settings.home, journal, base.sha256)


def test_an_adapter_from_outside_is_not_gone_on_from(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    train(settings, journal, base)
    found = journal.adapters.find("corrections-v1")
    assert found is not None
    journal.adapters.add(replace(found, name="foreign", training=None))
    journal.adapters.activate(base.sha256, (("corrections-v1", 1.0), ("foreign", 0.5)), "used")
    assert not is_sound(settings.home, journal, base.sha256)


def test_with_nothing_active_there_is_nothing_to_go_on_from(settings: Settings, journal: Journal, base: Base) -> None:
    assert not is_sound(settings.home, journal, base.sha256)
