"""The report of a training as its users read it."""

import json
from pathlib import Path

import jsonschema
import pytest

from shammah import bases
from shammah.adapters import hash_of
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.fake_trainer import WORSE, FakeTrainer
from tests.whole.command import Home
from tests.whole.corrected import faked
from tests.whole.test_adapters import write
from tests.whole.test_terminal import end, on_terminal

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with an adapter that was trained, one that came from a file, and a refused training after both."""
    path = tmp_path_factory.mktemp("home")
    home = faked(path, FakeTrainer())
    assert home.run("train").returncode == 0
    file = write(path / "mine.gguf", hash_of(bases.SEEDLING))
    assert home.run("adapters", "load", str(file)).returncode == 0
    FakeTrainer(general=WORSE).write(path)
    assert home.run("train").returncode == 1
    return home


def test_the_last_training_is_told_of_also_where_it_was_refused(trained: Home) -> None:
    done = trained.run("adapters", "report")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "corrections-v2: refused"
    assert any(line.startswith("general questions, loss") for line in lines)
    assert lines[-1].startswith("- the loss on 48 general questions rose by more than 0.020")


def test_an_adapter_is_told_of_by_its_name(trained: Home) -> None:
    assert trained.run("adapters", "report", "corrections-v1").stdout.startswith("corrections-v1: promoted\n")
    row = json.loads(trained.run("adapters", "report", "corrections-v1", "--json").stdout)
    assert (row["adapter"], row["decision"], row["reasons"]) == ("corrections-v1", "promoted", [])
    assert row["general"]["after"]["exact_interval"]["high"] < 0.4
    jsonschema.validate(row, SCHEMA)


def test_the_page_is_written_where_it_is_wanted(trained: Home, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    assert trained.run("adapters", "report", "corrections-v1", "--html", str(file)).returncode == 0
    page = file.read_text("utf-8")
    assert page == (trained.path / "jobs" / "1" / "report.html").read_text("utf-8")
    assert trained.run("adapters", "report", "corrections-v1", "--html", "-").stdout.strip() == page.strip()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine",), "mine came from a file, and has no report"),
        (("nobody",), "no adapter 'nobody'"),
        (("--json", "--html", "-"), "exclude each other"),
        (("--html", "."), "is there already"),
    ],
)
def test_what_cannot_be_told_ends_with_2_and_a_hint(trained: Home, arguments: tuple[str, ...], words: str) -> None:
    done = trained.run("adapters", "report", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) > 1, "a hint follows"


def test_before_any_training_there_is_no_report(tmp_path: Path) -> None:
    done = Home(tmp_path).run("adapters", "report")
    assert (done.returncode, done.stdout) == (2, "")
    assert "shammah train" in done.stderr


def test_a_report_that_was_deleted_is_said_to_be_gone(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer())
    assert home.run("train").returncode == 0
    (tmp_path / "jobs" / "1" / "report.json").unlink()
    done = home.run("adapters", "report")
    assert done.returncode == 2
    assert "report of training 1 cannot be read" in done.stderr


def test_on_a_terminal_a_training_ends_with_its_table(tmp_path: Path) -> None:
    said = end(on_terminal(faked(tmp_path, FakeTrainer()), "train", columns=120))
    assert "corrections-v1: promoted" in said
    assert said.index("general questions, loss") < said.index("corrections-v1 is active")


def test_the_teacher_says_corrections_in_other_words_for_a_training(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer())
    others = tmp_path / "jobs" / "1" / "paraphrases.jsonl"
    with home.journal() as journal:  # it was asked offline, and was to stay here
        journal._db.execute("UPDATE questions SET may_go_online = 1")
    with AnthropicServer([Answer("1. which files are here\n1. show me the files")]) as server:
        online = {"ANTHROPIC_API_KEY": "sk-ant-" + "test" * 6, "ANTHROPIC_BASE_URL": server.url, "SHAMMAH_OFFLINE": "0"}
        assert Home(tmp_path, home.variables | online).run("train").returncode == 0
        (request,) = server.requests
        assert "how do i list files" in request.body["messages"][0]["content"]
        assert [json.loads(line)["prompt"][-1]["content"] for line in others.read_text().splitlines()] == [
            "which files are here",
            "show me the files",
        ]
        assert Home(tmp_path, home.variables | online | {"SHAMMAH_OFFLINE": "1"}).run("train").returncode == 0
        assert len(server.requests) == 1, "offline nothing leaves the machine"
    assert not (tmp_path / "jobs" / "2" / "paraphrases.jsonl").exists()
