"""A model whose file is written over while it is open: no answer counts for the one that was recorded."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shammah import bases, config
from shammah.adapters import hash_of
from shammah.assembly import Parts
from shammah.bases import check_unchanged
from shammah.errors import ModelChanged
from shammah.generation import Sampling
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.sides import LocalSide
from shammah_convert.chat import Message
from tests.known import record_tiny
from tests.tiny import write_tiny

ASKED = [Message("user", "list files")]
SHORT = Sampling(max_tokens=3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny.gguf")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def parts(journal: Journal, file: Path) -> Iterator[Parts]:
    record_tiny(journal, file)
    home = str(journal.path.parent)
    settings = config.load({"SHAMMAH_HOME": home}, model__path=str(file), model__threads=1, offline=True)
    parts = Parts(settings, journal, BusyMeter())
    yield parts
    parts.close()


def write_over(file: Path) -> None:
    """Change a weight in place: size, inode and time of writing stay."""
    stat = file.stat()
    with file.open("r+b") as stream:
        stream.seek(-2, os.SEEK_END)
        stream.write(b"\0\x3c")  # 1.0 in F16
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def ask(local: LocalSide, show: Callable[[str], None] = lambda _: None) -> str:
    return local.complete(ASKED, SHORT, show).text


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        (lambda file: None, False),
        (os.utime, False),
        (lambda file: file.unlink(), False),  # whoever has it mapped has its bytes
        (write_over, True),
        (lambda file: write_tiny(file, seed=1), True),
        (lambda file: file.write_bytes(b"GGUF, and no more"), True),
        (lambda file: os.truncate(file, 4096), True),
    ],
    ids=["nothing", "its time", "it is gone", "a weight", "another model", "no model", "it is cut off"],
)
def test_other_bytes_are_another_model(
    journal: Journal, file: Path, change: Callable[[Path], object], is_another: bool
) -> None:
    base = record_tiny(journal, file)
    change(file)
    if not is_another:
        check_unchanged(journal, base)
        return
    with pytest.raises(ModelChanged, match=r"tiny\.gguf was changed while it was open"):
        check_unchanged(journal, base)


def test_a_model_that_is_written_over_between_two_answers_gives_no_second_one(parts: Parts, file: Path) -> None:
    local = parts.local()
    ask(local)
    write_over(file)
    for _ in range(2):
        with pytest.raises(ModelChanged):
            ask(local)
    assert parts.model is None, "it is closed"
    again = parts.local()
    assert again.lineage == hash_of(file) != local.lineage
    ask(again)


def test_an_answer_during_which_the_model_is_written_over_does_not_stand(parts: Parts, file: Path) -> None:
    local = parts.local()
    ask(local)
    with pytest.raises(ModelChanged):
        ask(local, lambda _: write_over(file))


def test_a_model_that_is_only_touched_answers_on(parts: Parts, file: Path) -> None:
    local, opened = parts.local(), parts.open_active(parts.base)
    ask(local)
    os.utime(file)
    ask(local)
    assert parts.model is opened


def test_looking_takes_no_time_that_an_answer_would_feel(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = record_tiny(journal, file)
    monkeypatch.setattr(bases, "identify", None)  # neither the file nor the journal is read
    check_unchanged(journal, base)
