"""A home with a tiny model, corrections to learn from, and a trainer that does what a script says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shammah import config, general
from shammah.feedback import Feedback, rate
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.policy import Reason, Side
from shammah.records.bases import Base
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.settings import Settings
from shammah.training import Trainer
from shammah_convert.chat import Message
from shammah_convert.examples import Example, write
from tests.fake_trainer import FakeTrainer
from tests.known import record_tiny
from tests.tiny import write_tiny


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    write_tiny(tmp_path / "tiny.gguf")
    return config.load({"SHAMMAH_HOME": str(home), "SHAMMAH_MODEL_PATH": str(tmp_path / "tiny.gguf")})


@pytest.fixture
def journal(settings: Settings) -> Iterator[Journal]:
    with Journal(settings.home) as journal:
        yield journal


@pytest.fixture
def base(journal: Journal, settings: Settings) -> Base:
    base = record_tiny(journal, Path(settings.model.path))
    file = general.cache_file(settings.home, base.sha256)
    file.parent.mkdir(exist_ok=True)
    file.write_text(write([example("general-0"), example("replay-0")]))
    return base


def example(id: str) -> Example:
    return Example(id, (Message("user", "Hello"),), (Message("assistant", "Hi"),), None, 1.0, "self", "")


def ask(journal: Journal, text: str, side: Side = Side.LOCAL) -> None:
    question = journal.begin("here", "base", [Message("user", text)], 0, True)
    answer = NewAnswer(side, True, f"answer to {text}", Reason.FORCED, Finish.STOP, "m", (), False, 1, 1, {})
    journal.save(question, [answer])


def correct(journal: Journal, text: str, target: str = "right") -> None:
    ask(journal, text)
    question = journal.last_question("here")
    assert question is not None
    rate(journal, question, Feedback(Rating.CRITICAL, "", target), has_teacher=False)


def trainer(settings: Settings, journal: Journal, fake: FakeTrainer, **more: Any) -> Trainer:
    python = fake.write(settings.home)
    settings = replace(settings, trainer=replace(settings.trainer, python=python))
    return Trainer(settings, journal, lambda base: LocalModel(Path(base.path)), **more)
