"""The live watch as its user meets it: a rating too many, and the next answer is the bare model's again."""

from pathlib import Path

from shammah import bases
from shammah.adapters import hash_of
from shammah.journal import Journal
from shammah.journal.lessons import NewLesson, insert_lessons
from shammah.records.adapters import Adapter
from shammah.records.questions import NewAnswer
from shammah.watching import LEAST_JUDGED
from shammah_convert.chat import Message
from tests.whole.command import Home
from tests.whole.test_adapters import write

OFFLINE = {"SHAMMAH_OFFLINE": "1", "SHAMMAH_WORKER_ENABLED": "0"}


def promote(journal: Journal, home: Home, base: str) -> None:
    training = journal.trainings.begin(base, is_forced=False)
    assert training is not None
    file = write(home.path / "corrections-v1.gguf", base)
    adapter = Adapter(file.stem, base, str(file), hash_of(file), None, {}, "2026-01-01T00:00:00.000Z", training.number)
    journal.trainings.promote(training, adapter)


def rated(journal: Journal, base: str, is_good: bool) -> None:
    """An answer of the local model, as it was active, that its user rated."""
    question = journal.begin("here", base, [Message("user", "list files")], 0, True)
    active = journal.adapters.active(base)
    answer = NewAnswer("local", True, "ls", "forced", "stop", "m", active, False, 1, 1, {})
    (saved,) = journal.save(question, [answer])
    with journal._db.write() as db:
        insert_lessons(db, NewLesson(base, question.number, saved.id, is_good, 1.0, "user"))


def test_ratings_roll_a_worse_adapter_back_and_the_next_command_says_so(tmp_path: Path) -> None:
    home, base = Home(tmp_path / "home", OFFLINE), hash_of(bases.SEEDLING)
    bare = home.ask("how do i list files")
    with home.journal() as journal:
        for _ in range(LEAST_JUDGED):
            rated(journal, base, is_good=True)
        promote(journal, home, base)
        for _ in range(LEAST_JUDGED - 1):
            rated(journal, base, is_good=False)
    worse = home.ask("how do i list files")
    assert worse["adapters"] == [{"name": "corrections-v1", "scale": 1.0}]
    assert "19 of 19 judged answers were bad" in home.run("adapters", "show", "corrections-v1").stdout
    assert home.run("feedback", "critical", "--answer", "ls -la").returncode == 0
    asked = home.run("ask", "how do i list files")
    assert "corrections-v1 was rolled back: 20 of 20 judged answers were bad, 0 of 20 before" in asked.stderr
    assert asked.stdout.strip() == bare["answer"]
    assert "was rolled back" not in home.run("ask", "how do i list files").stderr, "it is said once"
    assert "rolled back by the watch" in home.run("adapters", "list").stdout
    assert "rolled back: 20 of 20" in home.run("adapters", "show", "corrections-v1").stdout
    assert home.run("adapters", "use", "corrections-v1").returncode == 0
    assert home.run("feedback", "critical", "--answer", "ls").returncode == 0
    assert home.ask("how do i list files")["adapters"] == worse["adapters"], "what the user chose stays"
