"""What must hold in a home, whoever was killed in it."""

import json
import time
from collections import Counter
from collections.abc import Collection

import psutil

from shammah import checkpoints, locks
from shammah.adapters import active_files, verify
from shammah.bases import SEEDLING, known
from shammah.journal import Journal
from tests.faults import standin
from tests.faults.ground import Ground
from tests.faults.lives import Life

ORPHAN_SECONDS = 20.0
"""Of a slow, shared machine: the kernel ends a trainer with its parent in milliseconds."""

LINGER_SECONDS = 60.0
"""One that has just begun, and has to import all before it sees that nobody is there, on a machine that does more."""

WAITED_SECONDS = 20.0
"""Less than a lock or a busy database is waited for."""

Rows = dict[str, Counter[tuple[object, ...]]]


def rows(ground: Ground) -> Rows:
    """Every row of the journal, by table."""
    with ground.home.journal() as journal:
        tables = [row[0] for row in journal._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: Counter(map(tuple, journal._db.execute(f"SELECT * FROM {table}"))) for table in tables}


def check_rows(ground: Ground, before: Rows, but: Collection[str]) -> None:
    """Every row that was there is there, but in some tables."""
    after = rows(ground)
    for table, found in before.items():
        if table not in but:
            lost = found - after[table]
            assert not lost, f"{table} lost {list(lost)[:1]}"


def check(ground: Ground, may_be_active: Collection[tuple[str, ...]]) -> None:
    """The journal is whole; what is active, and what checkpoints hold, is there as it was recorded."""
    check_no_orphan(ground)
    with ground.home.journal() as journal:
        assert journal._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert journal._db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert known(journal, SEEDLING) == ground.facts.base, "the base is not the recorded one"
        _check_adapters(journal, ground, may_be_active)
        billed = journal._db.execute("SELECT count(*) FROM spending").fetchone()[0]
        assert billed >= ground.calls, "Claude was asked, and it is on no bill"
        for checkpoint in journal.checkpoints.all():
            checkpoints.read(checkpoint)


def _check_adapters(journal: Journal, ground: Ground, may_be_active: Collection[tuple[str, ...]]) -> None:
    base = ground.facts.base.sha256
    active = active_files(journal, base)
    assert len(active) == len(journal.adapters.active(base)), "an active adapter is gone"
    assert tuple(file.name for file in active) in may_be_active, active
    for file in active:
        verify(file)


def check_restart(ground: Ground, life: Life) -> float:
    """The next question is answered, with what is active; the seconds of the processor that this took."""
    assert life.code == 0, life.said
    (line,) = [line for line in life.said[0].splitlines() if line.startswith("{")]
    assert tuple(adapter["name"] for adapter in json.loads(line)["adapters"]) == ground.active()
    assert life.seconds[0] < WAITED_SECONDS, f"the restart waited for {life.seconds[0]:.0f} s"
    return life.cpu_seconds


def check_no_orphan(ground: Ground) -> None:
    """No process lives on that a killed one had started."""
    named = {int(file.read_text() or 0) for file in (ground.home.path / "jobs").glob(f"*/{standin.PID}")}
    pids = named | {pid for lock in (locks.WORKER, locks.TRAINING) for pid in locks.named(ground.home.path / lock)}
    end = time.monotonic() + ORPHAN_SECONDS
    while living := [pid for pid in pids if pid and _is_alive(pid, ground)]:
        assert time.monotonic() < end, f"{living} live on"
        time.sleep(0.01)


def check_nobody(ground: Ground) -> float:
    """No process lives on that was started for this home, and nobody holds a lock of it; the seconds it lived on."""
    begun = time.monotonic()
    while living := [process for process in psutil.process_iter() if _is_for(process, ground)]:
        assert time.monotonic() < begun + LINGER_SECONDS, f"{[process.cmdline() for process in living]} live on"
        time.sleep(0.01)
    lived_on = time.monotonic() - begun
    held = [file.name for file in ground.home.path.glob("*.lock") if locks.is_held(file)]
    assert not held, f"{held} are held by nobody"
    return lived_on


def _is_for(process: psutil.Process, ground: Ground) -> bool:
    """Whether a process was started with this home; one whose end nobody has heard of yet has ended."""
    try:
        is_ours = process.environ().get("SHAMMAH_HOME") == str(ground.home.path)
        return is_ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_alive(pid: int, ground: Ground) -> bool:
    """Whether a process is there, and ours: the numbers of dead ones are given to others."""
    try:
        process = psutil.Process(pid)
        is_ours = str(ground.folder) in " ".join(process.cmdline())
        return is_ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
