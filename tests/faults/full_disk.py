"""A full disk in every command that writes: a small tmpfs (SQLITE_FULL), and a limit on files (SQLITE_IOERR_WRITE)."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.docs.prepared import House
from tests.faults import intact
from tests.faults.promise import Promise, Trials
from tests.faults.writers import OUT, VERBS, Verb, prepare, shared
from tests.whole.command import Home

ROOT = Path(__file__).parents[2]
ROOMY, BLOCK_BYTES = "256m", 4096
MOST_BLOCKS = 400
LEAST_LIMIT_BYTES, MOST_LIMIT_BYTES = 4096, 1 << 20
"""What a command says has room also where nothing else has."""
NAMESPACE = ("unshare", "--map-root-user", "--mount")
SKIPPED = "the tmpfs trials were skipped: no tmpfs can be mounted here, neither as root nor in a namespace of one's own"


def on_tmpfs(trials: Trials) -> str:
    """Run commands on a tmpfs that is full; where none can be mounted, say so."""
    if not _can_mount(trials.folder):
        return SKIPPED
    made = shared()
    facts: dict[str, Any] = {"home": str(made.home.path), "variables": made.home.variables, "folder": str(made.folder)}
    facts |= {"kept": str(made.kept), "places": made.places, "count": trials.count, "seed": trials.seed}
    command = [*NAMESPACE, sys.executable, "-m", "tests.faults.full_disk"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(facts), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout.strip().splitlines()[-1]


def limited(trials: Trials) -> str:
    """Run commands that may write no file beyond a size."""
    chance, failed, made = random.Random(trials.seed), 0, shared()
    for number in range(trials.count):
        verb = VERBS[-1 - number % len(VERBS)]  # the other half of them is CI's, on a tmpfs
        made.restore()
        prepare(verb, made)
        limit = round(LEAST_LIMIT_BYTES * (MOST_LIMIT_BYTES / LEAST_LIMIT_BYTES) ** chance.random())
        failed += _tried(verb, made, limit, lambda: None)
    return _words(trials.count, failed)


def _tried(verb: Verb, made: House, limit: int | None, free: Callable[[], object]) -> bool:
    """Run a command where there is little room, and again where there is enough; whether it failed at first."""
    before = intact.rows(made.home.path)
    first = made.home.run(*verb.of(made), stdin=verb.stdin, largest_bytes=limit)
    where = f"{verb.name}, {limit=}: exit {first.returncode}\n{first.stdout}\n{first.stderr}"
    try:
        _check(verb, made.home, before, first)
        free()
        if first.returncode != 0:
            again = made.home.run(*verb.of(made), stdin=verb.stdin)
            where += f"\nagain: exit {again.returncode}\n{again.stdout}\n{again.stderr}"
            assert again.returncode == 0, "the same command does not work once there is room"
            _check(verb, made.home, before, again)
    except Exception as error:
        raise AssertionError(f"{error}\n{where}") from error
    finally:
        if verb.name == "serve":
            made.home.run("serve", "stop")
    return first.returncode != 0


def _check(verb: Verb, home: Home, before: intact.Rows, done: "subprocess.CompletedProcess[str]") -> None:
    """What holds however a command ended."""
    assert done.returncode >= 0, "a signal ended it"
    assert "Traceback" not in done.stderr, "it met an error that is none of ours"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        assert any(line.startswith(("shammah: ", "Training ")) for line in lines), "it does not say what is wrong"
        assert lines[-1].startswith("  ") or "`shammah " in lines[-1], "it does not say what to do next"
        assert not (home.path / OUT / verb.target).is_file() or not verb.target, "half a file has its final name"
    intact.check(home.path)
    if not verb.erases:
        after = intact.rows(home.path)
        lost = {table: before[table] - after[table] for table in before if before[table] - after[table]}
        assert not lost, f"rows are lost: {lost}"


def _words(count: int, failed: int) -> str:
    return f"{failed} of {count} commands found no room, and worked once there was some"


def _can_mount(folder: Path) -> bool:
    """Whether a tmpfs can be mounted in a namespace of our own."""
    place = folder / "mounted"
    place.mkdir()
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", str(place)]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:  # no such program
        return False


@contextmanager
def _mounted(place: Path) -> Iterator[None]:
    """A roomy tmpfs at a place."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _resize(place: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


def _used_bytes(place: Path) -> int:
    stat = os.statvfs(place)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def _tried_on_tmpfs(verb: Verb, made: House, blocks: int) -> bool:
    """One trial on a tmpfs that stands in the home's place, with so many blocks free."""
    home = made.home.path
    with _mounted(home):
        shutil.copytree(made.kept / home.name, home, symlinks=True, dirs_exist_ok=True)
        prepare(verb, made)
        _resize(home, str(_used_bytes(home) + blocks * BLOCK_BYTES))
        return _tried(verb, made, None, lambda: _resize(home, ROOMY))


def main() -> None:
    """Make the trials on a tmpfs, within the namespace."""
    facts = json.load(sys.stdin)
    made = House(
        Home(Path(facts["home"]), facts["variables"]), Path(facts["folder"]), Path(facts["kept"]), facts["places"]
    )
    chance, failed = random.Random(facts["seed"]), 0
    for number in range(facts["count"]):
        verb = VERBS[number % len(VERBS)]
        failed += _tried_on_tmpfs(verb, made, round(MOST_BLOCKS * chance.random() ** 3))
    sys.stdout.write(f"{_words(facts['count'], failed)}\n")


_ENDS = "a clear error with the next step, the database whole, nothing that was acknowledged lost, no half file"
PROMISES = (
    Promise(
        "disk-full",
        "A full disk",
        f"On a full disk each command that writes ends in {_ENDS} under its final name; with room it works.",
        "commands on a tmpfs",
        20 * len(VERBS),
        on_tmpfs,
        least=len(VERBS) // 2,
    ),
    Promise(
        "file-limit",
        "A full disk",
        f"Where files may not grow (`ulimit -f`), each command that writes ends in {_ENDS}.",
        "commands under a limit",
        20 * len(VERBS),
        limited,
        least=len(VERBS) // 2,
    ),
)

if __name__ == "__main__":
    main()
