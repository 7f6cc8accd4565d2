"""Damaged configuration, heads, checkpoints and database; and a database of an older or a newer version."""

import contextlib
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

from shammah.steps import SCHEMA_VERSION, STEPS, climb
from tests.docs.prepared import House
from tests.faults import intact
from tests.faults.promise import Promise, Trials
from tests.faults.spoiled_training import go_on
from tests.faults.writers import shared
from tests.whole.command import Home

ASK = ("ask", "--offline", "list hidden files")
PRIVATE = '[privacy]\nnever_forward = ["acme"]\n'
PAGE_BYTES = 4096

Spoil = Callable[[bytes, random.Random], bytes]


def kept(trials: Trials) -> str:
    """Damage a file in one way or another, and ask: what was there is still there, and the answer is given."""
    chance, made = random.Random(trials.seed), shared()
    for number in range(trials.count):
        made.restore()
        KINDS[number % len(KINDS)](made, chance)
        intact.check_database(made.home.path)
    return f"{len(KINDS)} kinds of files"


def _garbage(data: bytes, chance: random.Random) -> bytes:
    """Other bytes: a hole of zeros or of noise, half of it, or something else altogether."""
    start = chance.randrange(max(1, len(data)))
    length = chance.randint(1, max(1, len(data) - start))
    hole = chance.choice((bytes(length), chance.randbytes(length)))
    holed = data[:start] + hole + data[start + length :]
    return chance.choice((holed, chance.randbytes(len(data)), b"\xff\xfe" + data[: start // 2]))


def _config(made: House, chance: random.Random) -> None:
    """Nothing leaves the machine any more, and the former file is beside the new one."""
    file = made.home.path / "config.toml"
    spoiled = chance.choice((b"\x00", b"\xff", b"= ", b"[privacy\n")) + PRIVATE.encode()
    first = _set_aside(made.home, file, spoiled)
    assert made.home.run("config", "show", "offline").stdout.endswith("offline = true\n")
    second = _set_aside(made.home, file, spoiled)
    assert len(first) == 1
    assert set(first) < set(second), "two of the same day have different names"
    assert made.home.run(*ASK).stderr.count("set aside") == 0, "it is said once"


def _set_aside(home: Home, file: Path, spoiled: bytes) -> list[Path]:
    file.write_bytes(spoiled)
    done = home.run(*ASK)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("set aside") == 1, done.stderr
    found = sorted(file.parent.glob(f"{file.name}.aside-*"))
    assert found[-1].read_bytes() == spoiled, "it is not what stood there"
    return found


def _heads(made: House, chance: random.Random) -> None:
    (file,) = (made.home.path / "heads").glob("*/router.npz")
    spoiled = _garbage(file.read_bytes(), chance)
    if spoiled == file.read_bytes():
        return
    file.write_bytes(spoiled)
    done = made.home.run("heads", "refit", "--all")
    assert done.returncode == 0, done.stderr
    with contextlib.suppress(ValueError):
        (aside,) = file.parent.glob("router.npz.aside-*")
        assert aside.read_bytes() == spoiled
    intact.check_files(made.home.path)


def _checkpoint(made: House, chance: random.Random) -> None:
    """It is set aside, and there is one fewer to go back to."""
    file = made.home.path / "checkpoints" / "2" / "checkpoint.json"
    file.write_bytes(b"{" + chance.randbytes(40) + file.read_bytes())
    spoiled = file.read_bytes()
    done = made.home.run("checkpoint", "rollback", "2")
    assert done.returncode == 1, done.stderr
    assert "set aside as" in done.stderr, done.stderr
    (aside,) = file.parent.parent.glob("2.aside-*")
    assert (aside / file.name).read_bytes() == spoiled
    assert "  2  " not in made.home.run("checkpoint", "list").stdout
    assert made.home.run("checkpoint", "rollback", "1").returncode == 0
    assert aside.is_dir(), "a later checkpoint took it away"


def _training(made: House, chance: random.Random) -> None:
    """A trainer's checkpoint is set aside, and the one before it serves; so does the beginning, where both are torn."""
    go_on(made.folder / "training", lambda data: _garbage(data, chance), chance.choice((1, 1, 2)))


def _database(made: House, chance: random.Random) -> None:
    """What can be read of it is in a new one; whatever a page in the middle held may be lost, and no more."""
    file = made.home.path / "shammah.db"
    before, data = intact.rows(made.home.path), file.read_bytes()
    page = chance.randrange(len(data) // PAGE_BYTES)
    may_go = _hit(file, page)
    spoiled = data[: page * PAGE_BYTES] + chance.randbytes(PAGE_BYTES) + data[(page + 1) * PAGE_BYTES :]
    file.write_bytes(spoiled)
    for _ in range(3):
        done = made.home.run(*ASK)
        assert "Traceback" not in done.stderr, f"page {page}: {done.stderr}"
    repaired = made.home.run("log", "repair")
    assert repaired.returncode == 0, repaired.stderr
    again = made.home.run(*ASK)
    assert again.returncode == 0, f"page {page}: {again.stderr}"
    _check_saved(made, page, before, may_go)


def _check_saved(made: House, page: int, before: intact.Rows, may_go: set[str]) -> None:
    """All that was there is there again, but for rows of the table that had the page, and rows that refer to such."""
    after = intact.rows(made.home.path)
    for table in set(before) - may_go:
        missing = len(before[table] - after[table])
        assert not missing, f"{missing} rows of {table} are lost with page {page}, which held none of them"


def _hit(file: Path, page: int) -> set[str]:
    """The tables that may lose rows with a page: the one that it belongs to, and those whose rows refer to it."""
    with contextlib.closing(sqlite3.connect(file)) as db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        try:
            owner = db.execute("SELECT name FROM dbstat WHERE pageno = ?", (page + 1,)).fetchone()
        except sqlite3.OperationalError:  # a SQLite that does not tell
            return tables
        if page == 0 or owner is None:  # the schema itself; a free page is looked at by nobody
            return tables if page == 0 else set()
        row = db.execute("SELECT tbl_name FROM sqlite_master WHERE name = ?", owner).fetchone()
        hit = {row[0]} if row else set(tables)
        while more := {one for one in tables - hit if _refers(db, one) & hit}:
            hit |= more
        return hit


def _refers(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[2] for row in db.execute(f"PRAGMA foreign_key_list({table})")}


KINDS = (_config, _database, _heads, _checkpoint, _training)


def versions(trials: Trials) -> str:
    """Open databases of each older schema, and go back; open one of a newer schema."""
    chance = random.Random(trials.seed)
    for number in range(trials.count):
        home = Home(trials.folder / str(number))
        _there_and_back(home, STEPS[number % (len(STEPS) - 1)], chance)
    return f"schemas {STEPS[0]} to {SCHEMA_VERSION}"


def _there_and_back(home: Home, version: int, chance: random.Random) -> None:
    """A copy is made before the change, a step that fails changes nothing, and the copy comes back."""
    path = _older(home, version, chance.randrange(1, 50))
    before = _dump(path)
    _fail(home, path, before)
    with home.journal():
        pass
    (copy,) = path.parent.glob(f"shammah.db.schema-{version}-*")
    assert _dump(copy) == before, "the copy is not what was there"
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    refused = home.run("log")
    assert refused.returncode == 1
    assert f"shammah log restore {copy}" in refused.stderr, refused.stderr
    restored = home.run("log", "restore", str(copy))
    assert restored.returncode == 0, restored.stderr
    assert _dump(copy) == before
    assert len(list(path.parent.glob("shammah.db.aside-*"))) == 1, "what was there is gone"
    intact.check_database(home.path)


def _older(home: Home, version: int, rows: int) -> Path:
    home.path.mkdir()
    path = home.path / "shammah.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        climb(db, 0, version)
        for number in range(rows):
            db.execute("INSERT INTO flags VALUES (?, '1')", (f"flag {number}",))
    return path


def _fail(home: Home, path: Path, before: list[str]) -> None:
    """A change that finds no room for its copy, or none for itself, leaves all as it was."""
    for largest in (PAGE_BYTES, path.stat().st_size):
        done = home.run("log", largest_bytes=largest)
        for copy in path.parent.glob("shammah.db.schema-*"):
            assert _dump(copy) == before
            copy.replace(path) if done.returncode == 0 else copy.unlink()  # there was room after all
        assert done.returncode == 0 or "ulimit" in done.stderr, done.stderr
        assert _dump(path) == before


def _dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return [f"-- {version}", *db.iterdump()]


PROMISES = (
    Promise(
        "spoiled",
        "Damaged files",
        "A damaged configuration, head, checkpoint (also a training's) or database is set aside under a dated name, and"
        " never overwritten; what can be read of a database is saved, nothing leaves the machine once its configuration"
        " is lost, and a training comes to the adapter that it would have made.",
        "damaged files",
        500,
        kept,
        least=len(KINDS),
    ),
    Promise(
        "versions",
        "Damaged files",
        "A database of an older version is copied before it is changed, and changed whole or not at all; a newer one is"
        " refused, with the command that goes back to the copy.",
        "databases",
        120,
        versions,
        least=2,
    ),
)
