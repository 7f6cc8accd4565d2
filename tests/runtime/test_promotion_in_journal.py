"""A promotion is one step: all of it stands, or nothing, whoever is killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shammah.errors import JournalError
from shammah.journal import Journal
from tests.adopted import LINEAGE, ROOT, active, begun, new, states, use


def test_a_promotion_is_an_adapter_an_activation_and_an_end(journal: Journal) -> None:
    use(journal, "old")
    training = begun(journal)
    journal.trainings.promote(training, new("v1", training.number))
    assert journal.adapters.active(LINEAGE) == (("v1", 1.0),)
    ended = journal.trainings.at(training.number)
    assert (ended.state, ended.adapter, ended.finished is None) == ("promoted", "v1", False)
    assert journal.adapters.roll_back(LINEAGE) == (("old", 1.0),)


def test_a_promotion_under_a_name_that_is_taken_changes_nothing(journal: Journal) -> None:
    use(journal, "v1")
    use(journal)
    training = begun(journal)
    with pytest.raises(JournalError):
        journal.trainings.promote(training, new("v1", training.number))
    assert active(journal) == []
    assert journal.adapters.all() == [new("v1")]
    assert journal.trainings.at(training.number) == training


# It dies before the nth statement of the promotion, or after it; small caches make SQLite write the file before.
DYING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.adopted import begun, new, use
journal = Journal(Path(sys.argv[1]))
use(journal, "old")
training = begun(journal)
left = int(sys.argv[3])
def die_in_time(statement):
    global left
    left -= 1
    if left == 0:
        print(statement.split()[0], Path(f"{journal.path}-journal").exists(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
journal._db._connection.execute("PRAGMA cache_size = 1")
journal._db._connection.set_trace_callback(die_in_time)
journal.trainings.promote(training, new("v1", training.number, parent="x" * 3_000_000))
os.kill(os.getpid(), signal.SIGKILL)
"""


def die(home: Path, statement: int) -> list[str]:
    """What the child was about to do, and whether SQLite had begun to write the file."""
    command = [sys.executable, "-c", DYING, str(home), str(ROOT), str(statement)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    return child.stdout.split()


def check_whole(journal: Journal, is_promoted: bool) -> None:
    training = journal.trainings.last()
    assert training
    assert training.state == ("promoted" if is_promoted else "running")
    assert training.adapter == ("v1" if is_promoted else None)
    assert active(journal) == (["v1"] if is_promoted else ["old"])
    assert [adapter.name for adapter in journal.adapters.all()] == (["old", "v1"] if is_promoted else ["old"])
    assert journal._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_promotion_that_is_killed_before_its_commit_leaves_the_old_set(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    while not seen or seen[-1][0] != "COMMIT":
        home = tmp_path / str(len(seen))
        seen.append(die(home, len(seen) + 1))
        with Journal(home) as journal:
            check_whole(journal, is_promoted=False)
            journal.trainings.settle_abandoned()
            assert begun(journal), "the next training can begin"
    assert [words[0] for words in seen] == ["BEGIN", "INSERT", "SELECT", "INSERT", "UPDATE", "COMMIT"]
    assert seen[-1] == ["COMMIT", "True"], "the file was being written, and was brought back"


def test_a_promotion_that_is_killed_after_its_commit_stands(tmp_path: Path) -> None:
    assert die(tmp_path, 0) == []
    with Journal(tmp_path) as journal:
        check_whole(journal, is_promoted=True)


PROMOTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.adopted import begun, new
with Journal(Path(sys.argv[1])) as journal:
    while True:
        training = begun(journal)
        journal.trainings.promote(training, new(f"v{training.number}", training.number))
        print(training.number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 4, 9])
def test_a_promoter_killed_at_any_time_leaves_the_last_promotion_whole(tmp_path: Path, acknowledged: int) -> None:
    command = [sys.executable, "-c", PROMOTER, str(tmp_path), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        numbers = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        numbers += [line for line in child.stdout if line.endswith("\n")]
    with Journal(tmp_path) as journal:
        promoted = states(journal).count("promoted")
        assert len(numbers) <= promoted <= len(numbers) + 1, "one more may be committed than was acknowledged"
        assert active(journal) == [f"v{promoted}"]
        assert len(journal.adapters.all()) == promoted
