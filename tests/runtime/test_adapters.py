"""A model follows what the journal says is active, and only files that are what was recorded are applied."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from shammah.adapters import MOST_ACTIVE, apply_active, find, parse_set
from shammah.errors import AdapterChanged, AdapterUnreadable, UsageError
from shammah.generation import ActiveSet
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.naming import rename
from shammah.records.adapters import Adapter
from tests.lora_files import BASE_SHA256, TOKENS, Folder, applied, new_folder


@dataclass(frozen=True)
class Process:
    """A running process: a model that follows a journal, and what it said."""

    journal: Journal
    folder: Folder
    model: LocalModel
    said: list[str]

    def follow(self) -> ActiveSet:
        apply_active(self.model, self.journal, BASE_SHA256, self.said.append)
        return applied(self.model)

    def activate(self, *active: tuple[str, float]) -> None:
        """As another command does: through a connection of its own."""
        with Journal(self.journal.path.parent) as other:
            other.adapters.activate(BASE_SHA256, active, "use")

    def record(self, file: str, name: str = "", base: str = BASE_SHA256) -> None:
        found = self.folder.file(file)
        adapter = Adapter(name or file, base, found.path, found.sha256, None, {}, "2026-01-01", None)
        self.journal.adapters.add(adapter)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    folder = new_folder(tmp_path)
    with Journal(tmp_path / "home") as journal, folder.open() as model:
        process = Process(journal, folder, model, [])
        for name in "abc":
            process.record(name)
        yield process


def test_a_model_follows_what_another_command_activates(process: Process) -> None:
    sets: list[ActiveSet] = [(("a", 1.0),), (("b", 0.5), ("a", 1.0)), (("a", 1.0), ("b", 0.5)), (), (("c", -1.0),)]
    for active in sets:
        process.activate(*active)
        assert process.follow() == active
        files = [process.folder.file(name, scale) for name, scale in active]
        np.testing.assert_array_equal(process.model.logits(TOKENS), process.folder.fresh(*files))
    assert process.said == []


ACTIVATE = """
import sys
from pathlib import Path
from shammah.journal import Journal
with Journal(Path(sys.argv[1])) as journal:
    journal.adapters.activate(sys.argv[2], (("b", 0.5),), "use")
"""


def test_a_model_follows_another_process_and_a_rollback(process: Process) -> None:
    process.activate(("a", 1.0))
    assert process.follow() == (("a", 1.0),)
    command = [sys.executable, "-c", ACTIVATE, str(process.journal.path.parent), BASE_SHA256]
    subprocess.run(command, check=True, timeout=60)
    assert process.follow() == (("b", 0.5),)
    process.journal.adapters.roll_back(BASE_SHA256)
    assert process.follow() == (("a", 1.0),)


def test_a_model_that_runs_takes_a_new_name_over_with_its_next_answer(process: Process) -> None:
    process.activate(("a", 0.5), ("b", 1.0))
    process.follow()
    before = process.model.logits(TOKENS)
    with Journal(process.journal.path.parent) as other:
        rename(other, find(other, "a"), "rust")
    assert process.follow() == (("rust", 0.5), ("b", 1.0))
    np.testing.assert_array_equal(process.model.logits(TOKENS), before)
    assert process.said == []


def test_what_is_active_for_another_base_is_nothing_to_us(process: Process) -> None:
    process.journal.adapters.activate("another", (("a", 1.0),), "use")
    assert process.follow() == ()


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-5] ^= 1
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("spoil", "words"), [(Path.unlink, "b cannot be read"), (flip, "not the file that was recorded as b")]
)
def test_a_spoilt_file_is_told_once_a_question_and_the_model_goes_on_as_it_was(
    process: Process, spoil: Callable[[Path], None], words: str
) -> None:
    process.activate(("a", 1.0))
    process.follow()
    before = process.model.logits(TOKENS)
    path = process.folder.path / "b.gguf"
    whole = path.read_bytes()
    process.activate(("a", 1.0), ("b", 1.0))
    spoil(path)
    for count in (1, 2):
        assert process.follow() == (("a", 1.0),)
        assert len(process.said) == count
        assert words in process.said[-1]
        assert "shammah adapters" in process.said[-1], "the hint is told too"
    np.testing.assert_array_equal(process.model.logits(TOKENS), before)
    path.write_bytes(whole)
    assert process.follow() == (("a", 1.0), ("b", 1.0)), "it is applied once its file is back"


def test_another_adapter_under_the_name_of_a_deleted_one_is_swapped_in(process: Process) -> None:
    process.activate(("a", 1.0))
    process.follow()
    process.activate()
    gone = process.journal.adapters.find("a")
    assert gone
    assert process.journal.adapters.delete(gone)
    other = process.folder.file("b")
    process.journal.adapters.add(replace(gone, path=other.path, sha256=other.sha256))
    process.activate(("a", 1.0))
    process.follow()
    np.testing.assert_array_equal(process.model.logits(TOKENS), process.folder.fresh(other))


# What a command line names.


@pytest.mark.parametrize(
    ("words", "active"),
    [
        (["a"], (("a", 1.0),)),
        (["a:"], (("a", 1.0),)),
        (["a:0.5"], (("a", 0.5),)),
        (["a:-1e-3"], (("a", -0.001),)),
        (["a:10"], (("a", 10.0),)),
        (["b:2", "a"], (("b", 2.0), ("a", 1.0))),
    ],
)
def test_names_and_scales_are_a_set_in_their_order(process: Process, words: list[str], active: ActiveSet) -> None:
    assert parse_set(process.journal, words) == (BASE_SHA256, active)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "unknown"], "no adapter 'unknown'"),
        (["A"], "no adapter 'A'"),
        (["a\udc80"], "no adapter"),  # half a surrogate pair, as bytes of no UTF-8 on a command line are
        ([":0.5"], "no adapter ''"),
        (["a", "a:0.5"], "named twice"),
        (["a", "foreign"], "different models"),
        (["a"] * (MOST_ACTIVE + 1), "too many"),
        *(
            (["a:" + scale], "no usable scale")
            for scale in ("0", "-0", "inf", "-inf", "nan", "1e999", "10.1", "x", "1:2")
        ),
    ],
)
def test_a_set_that_cannot_be_meant_is_refused(process: Process, words: list[str], message: str) -> None:
    process.record("c", name="foreign", base="another")
    with pytest.raises(UsageError, match=message) as refused:
        parse_set(process.journal, words)
    assert "shammah adapters" in refused.value.hint or "Give" in refused.value.hint


@pytest.mark.parametrize(("spoil", "error"), [(Path.unlink, AdapterUnreadable), (flip, AdapterChanged)])
def test_a_set_with_a_spoilt_file_is_refused(
    process: Process, spoil: Callable[[Path], None], error: type[Exception]
) -> None:
    spoil(process.folder.path / "b.gguf")
    with pytest.raises(error):
        parse_set(process.journal, ["a", "b"])
