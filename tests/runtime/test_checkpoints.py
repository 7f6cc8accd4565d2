"""A checkpoint is whole or not there, and going back to it can be undone."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import adapters, checkpoints, metrics
from shammah.checkpoints import MANIFEST, MOST, Keeper
from shammah.errors import CheckpointError
from shammah.heads import Head
from shammah.journal import Journal
from shammah.journal.checkpoints import CHECKPOINT_QUESTIONS
from shammah.learning import Heads
from shammah.records.adapters import Adapter
from tests.learnt import LINEAGE, NAMES, ROOT, assert_same, file, heads, relearnt, teach


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


def keeper(journal: Journal) -> Keeper:
    return Keeper(journal.path.parent, journal, heads(journal), LINEAGE)


def add_adapter(journal: Journal, name: str, words: bytes) -> Adapter:
    """An adapter of the base; nothing here opens its file."""
    folder = journal.path.parent / "adapters"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.gguf"
    path.write_bytes(words)
    adapter = Adapter(name, LINEAGE, str(path), adapters.hash_of(path), None, {}, "2026-11-26T05:00:00.000Z", None)
    journal.adapters.add(adapter)
    return adapter


def both(journal: Journal) -> list[Head]:
    return [heads(journal).open(name) for name in NAMES]


def assert_both_same(some: list[Head], others: list[Head]) -> None:
    for one, other in zip(some, others, strict=True):
        assert one.lessons == other.lessons
        for name, array in one.learner.arrays().items():
            assert (array == other.learner.arrays()[name]).all()


def test_a_checkpoint_shares_the_files_of_heads_and_adapters(journal: Journal) -> None:
    teach(journal, 3)
    adapter = add_adapter(journal, "mine", b"weights")
    journal.adapters.activate(LINEAGE, (("mine", 0.5),), "use")
    made = keeper(journal).make("by hand")
    folder = Path(made.folder)
    assert (folder / "router.npz").samefile(file(journal))
    assert (folder / "mine.gguf").samefile(adapter.path)
    contents = checkpoints.read(made)
    assert contents.active == (("mine", 0.5),)
    assert contents.heads["router"].cursor == journal.lessons.last("router", LINEAGE)
    assert contents.metrics == metrics.last(journal.path.parent, LINEAGE)
    assert contents.metrics


def test_what_is_learnt_later_does_not_change_a_checkpoint(journal: Journal) -> None:
    teach(journal, 3)
    made = keeper(journal).make("by hand")
    before = {path.name: path.read_bytes() for path in Path(made.folder).iterdir()}
    teach(journal, 3, seed=1)
    both(journal)
    assert {path.name: path.read_bytes() for path in Path(made.folder).iterdir()} == before


def test_a_rollback_brings_heads_and_adapters_back_and_its_undo_all_of_it(journal: Journal) -> None:
    teach(journal, 4)
    old = both(journal)
    made = keeper(journal).make("by hand")
    teach(journal, 4, seed=1)
    add_adapter(journal, "mine", b"weights")
    journal.adapters.activate(LINEAGE, (("mine", 1.0),), "use")
    new = both(journal)

    before = keeper(journal).roll_back(made)
    assert_both_same(both(journal), old)
    assert journal.adapters.active(LINEAGE) == ()
    assert before.why == f"before the rollback to {made.number}"

    keeper(journal).roll_back(before)
    assert_both_same(both(journal), new)
    assert journal.adapters.active(LINEAGE) == (("mine", 1.0),)


def test_lessons_after_a_rollback_are_learnt_and_those_between_are_not(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 4)
    made = keeper(journal).make("by hand")
    teach(journal, 4, seed=1)
    keeper(journal).roll_back(made)
    teach(journal, 2, seed=2)
    head = heads(journal).open("router")
    assert head.lessons == 6
    assert_same(relearnt(journal, "router", tmp_path / "fresh"), head)


def test_a_rollback_to_before_the_first_lesson_forgets_all_of_them(journal: Journal) -> None:
    made = keeper(journal).make("by hand")
    teach(journal, 4)
    keeper(journal).roll_back(made)
    assert [head.lessons for head in both(journal)] == [0, 0]


def test_a_rollback_whose_files_fit_no_more_learns_the_same_again(journal: Journal) -> None:
    teach(journal, 4)
    old = both(journal)
    made = keeper(journal).make("by hand")
    teach(journal, 4, seed=1)
    for name in NAMES:
        (Path(made.folder) / f"{name}.npz").unlink()
        (Path(made.folder) / f"{name}.npz").write_bytes(b"of another version")
    keeper(journal).roll_back(made)
    assert_both_same(both(journal), old)


def test_an_adapter_that_was_deleted_comes_back_with_its_checkpoint(journal: Journal) -> None:
    adapter = add_adapter(journal, "mine", b"weights")
    journal.adapters.activate(LINEAGE, (("mine", 1.0),), "use")
    made = keeper(journal).make("by hand")
    journal.adapters.activate(LINEAGE, (), "use")
    assert journal.adapters.delete(adapter)
    Path(adapter.path).unlink()
    keeper(journal).roll_back(made)
    assert journal.adapters.active(LINEAGE) == (("mine", 1.0),)
    assert Path(adapter.path).read_bytes() == b"weights"
    assert journal.adapters.find("mine") == adapter


def test_an_adapter_that_has_another_name_by_now_comes_back_under_that(journal: Journal) -> None:
    adapter = add_adapter(journal, "mine", b"weights")
    journal.adapters.activate(LINEAGE, (("mine", 0.5),), "use")
    made = keeper(journal).make("by hand")
    journal.adapters.activate(LINEAGE, (), "use")
    assert journal.adapters.rename(adapter, "rust")
    keeper(journal).roll_back(made)
    assert journal.adapters.active(LINEAGE) == (("rust", 0.5),)
    assert [one.name for one in journal.adapters.all()] == ["rust"]


def test_a_checkpoint_with_other_bytes_than_were_kept_changes_nothing(journal: Journal) -> None:
    add_adapter(journal, "mine", b"weights")
    journal.adapters.activate(LINEAGE, (("mine", 1.0),), "use")
    made = keeper(journal).make("by hand")
    journal.adapters.activate(LINEAGE, (), "use")
    kept = Path(made.folder) / "mine.gguf"
    kept.unlink()
    kept.write_bytes(b"others")
    with pytest.raises(CheckpointError, match="not the file that was recorded"):
        keeper(journal).roll_back(made)
    assert journal.adapters.active(LINEAGE) == ()


def test_where_nothing_can_be_written_a_checkpoint_says_so_and_none_is_named(journal: Journal) -> None:
    (journal.path.parent / "checkpoints").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        keeper(journal).make("by hand")
    assert journal.checkpoints.all() == []


def test_an_adapter_whose_file_is_gone_keeps_no_checkpoint_from_being_made(journal: Journal) -> None:
    adapter = add_adapter(journal, "mine", b"weights")
    journal.adapters.activate(LINEAGE, (("mine", 1.0),), "use")
    Path(adapter.path).unlink()
    contents = checkpoints.read(keeper(journal).make("by hand"))
    assert (contents.active, contents.adapters) == ((("mine", 1.0),), ())


def test_a_damaged_checkpoint_is_refused_by_its_number_and_set_aside(journal: Journal) -> None:
    sound, made = keeper(journal).make("by hand"), keeper(journal).make("by hand")
    (Path(made.folder) / MANIFEST).write_text(json.dumps({"heads": {}}))
    with pytest.raises(CheckpointError, match=r"checkpoint 2 cannot be read.* set aside as"):
        keeper(journal).roll_back(made)
    assert journal.checkpoints.all() == [sound]
    keeper(journal).roll_back(sound)
    (aside,) = Path(made.folder).parent.glob("2.aside-*")
    assert json.loads((aside / MANIFEST).read_text()) == {"heads": {}}


def test_a_damaged_head_of_a_checkpoint_is_learnt_again_and_that_is_said(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    teach(journal, 3)
    made = keeper(journal).make("by hand")
    kept = Path(made.folder) / "router.npz"
    kept.unlink()
    kept.write_bytes(b"noise")
    keeper(journal).roll_back(made)
    assert both(journal)[0].lessons == 3
    assert "the router is learnt again" in caplog.text


def test_the_last_five_of_a_base_are_kept(journal: Journal) -> None:
    other = replace(keeper(journal), heads=Heads(journal.path.parent, journal, "f" * 32, "bayes"), lineage="f" * 32)
    other.make("another base")
    numbers = [keeper(journal).make("by hand").number for _ in range(MOST + 2)]
    assert [kept.number for kept in journal.checkpoints.all(LINEAGE)] == numbers[:1:-1]
    folders = {path.name for path in (journal.path.parent / "checkpoints").iterdir() if path.is_dir()}
    assert folders == {"1", *map(str, numbers[2:])}


def test_one_is_due_after_each_hundred_questions(journal: Journal) -> None:
    teach(journal, CHECKPOINT_QUESTIONS - 1)
    assert not keeper(journal).is_due()
    teach(journal, 1)
    assert keeper(journal).is_due()
    keeper(journal).make("100 questions")
    assert not keeper(journal).is_due()


KILLED_ANYWHERE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.runtime.test_checkpoints import keeper
from tests.learnt import teach
journal = Journal(Path(sys.argv[1]))
teach(journal, 3)
first = keeper(journal).make("first")
while True:
    print(flush=True)
    keeper(journal).roll_back(keeper(journal).make("again"))
"""


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_whoever_is_killed_leaves_whole_checkpoints_and_heads(tmp_path: Path, rounds: int) -> None:
    command = [sys.executable, "-c", KILLED_ANYWHERE, str(tmp_path), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout
        for _ in range(rounds):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    with Journal(tmp_path) as journal:
        for kept in journal.checkpoints.all():
            assert checkpoints.read(kept).heads["router"].cursor > 0
        assert [head.lessons for head in both(journal)] == [3, 3]
        keeper(journal).make("after the kill")
        named = {Path(kept.folder).name for kept in journal.checkpoints.all()}
        assert {path.name for path in (tmp_path / "checkpoints").iterdir() if path.is_dir()} == named
