"""Jobs for a worker with a tiny model, and what came of them."""

from pathlib import Path

import pytest

from shammah import config, features
from shammah.journal import Journal
from shammah.records.questions import NewAnswer, Question
from shammah.settings import Settings
from shammah_convert.chat import Message
from tests.known import record_tiny
from tests.tiny import write_tiny


@pytest.fixture
def settings(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setattr("shammah.embedding.find_source", lambda python="": None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    loaded = config.load({"SHAMMAH_HOME": str(journal.path.parent)}, answer__max_tokens=8)
    return config.with_model(loaded, str(write_tiny(tmp_path / "tiny.gguf")))


def forwarded(journal: Journal, settings: Settings, teacher: str = "ls -la", online: bool = True) -> Question:
    """A question that the teacher answered, with the job that compares."""
    base = record_tiny(journal, Path(settings.model.path))
    question = journal.begin("session", base.sha256, [Message("user", "list files")], 0, online)
    question = journal.note_route(question, features.of_question("list files"), None, 0.5)
    job = ("label", {"question": question.number})
    journal.save(question, [answer("teacher", teacher)] if teacher else [answer("local", "x")], job)
    return question


def answer(side: str, text: str) -> NewAnswer:
    return NewAnswer(side, True, text, "cold_start", "stop", "m", (), True, 1, 1, {})


def state_of(journal: Journal) -> list[tuple[str, str | None]]:
    rows = journal._db.execute("SELECT state, error FROM jobs ORDER BY id")
    return [(row["state"], row["error"]) for row in rows]
