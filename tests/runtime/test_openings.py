"""Who dies of a model file is seen by whoever opens it next."""

import subprocess
import sys
from pathlib import Path

import pytest

from shammah import config, openings, stamps
from shammah.errors import BadModel, EngineRefuses
from shammah.journal import Journal
from shammah.openings import careful, deaths, marked
from shammah.serve.engines import open_engine
from shammah.serve.place import LOG
from tests.known import record_tiny
from tests.tiny import write_killer, write_tiny
from tests.whole.command import Home

_DIES = "import os, sys; from pathlib import Path; from shammah.openings import marked\n"
_DIES += "with marked(Path(sys.argv[1]), Path(sys.argv[2])): os.abort()"


def die_of(folder: Path, file: Path) -> None:
    """Let a process die while it opens a file."""
    assert subprocess.run([sys.executable, "-c", _DIES, folder, file], check=False).returncode < 0


def test_a_death_is_seen_until_somebody_opens_the_file(tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    assert deaths(tmp_path / "marks", file) == 0
    die_of(tmp_path / "marks", file)
    assert deaths(tmp_path / "marks", file) == 1
    with marked(tmp_path / "marks", file):
        assert deaths(tmp_path / "marks", file) == 1, "whoever opens it lives"
    assert deaths(tmp_path / "marks", file) == 0
    assert list((tmp_path / "marks").iterdir()) == []


def test_an_error_is_no_death(tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    with pytest.raises(BadModel), marked(tmp_path / "marks", file):
        raise BadModel("it cannot be opened")
    assert deaths(tmp_path / "marks", file) == 0


def test_another_file_in_its_place_is_opened(tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    for _ in range(openings.MOST_DEATHS):
        die_of(tmp_path / "marks", file)
    with pytest.raises(EngineRefuses, match="twice"), careful(tmp_path / "marks", file):
        pass
    write_tiny(file, seed=1)
    with careful(tmp_path / "marks", file):
        pass
    assert list((tmp_path / "marks").iterdir()) == [], "marks of the file that was there are gone"


def test_a_killed_process_is_forgiven_once_the_file_was_tried(tmp_path: Path) -> None:
    file, said = write_tiny(tmp_path / "tiny.gguf"), list[str]()
    die_of(tmp_path / "marks", file)
    with careful(tmp_path / "marks", file, said.append):
        assert said == ["The process that opened tiny.gguf last died of it: checking it."]
    assert deaths(tmp_path / "marks", file) == 0


def test_where_no_mark_can_be_made_models_are_opened_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "marks").write_text("in the way")
    with careful(tmp_path / "marks", write_tiny(tmp_path / "tiny.gguf")):
        pass


def test_a_model_that_kills_a_command_kills_no_second_one(tmp_path: Path) -> None:
    home, file = Home(tmp_path / "home", {"SHAMMAH_WORKER_ENABLED": "false"}), write_killer(tmp_path / "tiny.gguf")
    with home.journal() as journal:
        record_tiny(journal, file)  # it was sound when it was checked: for an older llama.cpp, say
    ask = ("ask", "--model", str(file), "list files")
    assert home.run(*ask).returncode < 0
    for _ in range(2):
        done = home.run(*ask)
        assert (done.returncode, done.stdout) == (1, "")
        assert "killed the process that opened it, twice" in done.stderr
        assert "shammah models list" in done.stderr
    doctor = Home(home.path, home.variables | {"SHAMMAH_MODEL_PATH": str(file)}).run("doctor", "--json")
    assert "killed the process that opened it, twice" in doctor.stdout
    assert doctor.returncode == 1


def test_a_daemon_remembers_over_its_end_what_killed_its_engine(tmp_path: Path) -> None:
    file = write_killer(tmp_path / "tiny.gguf")
    settings = config.load({config.HOME_VARIABLE: str(tmp_path / "home")})
    with Journal(settings.home) as journal:
        base = record_tiny(journal, file)
    with pytest.raises(EngineRefuses):
        open_engine(settings, base)
    said = (settings.home / LOG).read_bytes()
    with pytest.raises(EngineRefuses):
        open_engine(settings, base)
    assert (settings.home / LOG).read_bytes() == said, "nobody opened it again"
    assert stamps.stamp_of(file).size == file.stat().st_size
