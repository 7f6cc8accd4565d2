"""`python -m tests.faults`: about 1% of the trials of each promise, as CI makes them; `--full` makes all.

`--full` writes what it saw into the table of `docs/reliability.md`, with seed and commit. Names choose promises.
"""

import argparse
import datetime
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from tests.faults import table
from tests.faults.promise import Promise, Trials
from tests.faults.promises import PROMISES

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Try what is promised; 1 where something is broken."""
    given = _arguments().parse_args()
    if given.table:
        _write({})
        return 0
    chosen = [promise for promise in PROMISES if not given.names or promise.name in given.names]
    broken = [promise.name for promise in chosen if not _is_kept(promise, given.seed, given.full)]
    print(f"{len(chosen) - len(broken)} of {len(chosen)} promises kept, seed {given.seed}.")
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=main.__doc__)
    parser.add_argument("names", nargs="*", choices=[*(promise.name for promise in PROMISES), []], metavar="NAME")
    parser.add_argument("--table", action="store_true", help="write the table anew, and try nothing")
    parser.add_argument("--full", action="store_true", help="all trials, written into docs/reliability.md")
    parser.add_argument("--seed", type=int, default=1, help="decides what is tried")
    return parser


def _is_kept(promise: Promise, seed: int, is_full: bool) -> bool:
    count, begun = promise.count(is_full), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shammah-faults-", ignore_cleanup_errors=True) as folder:
        try:
            words = promise.check(Trials(count, seed, Path(folder)))
        except Exception:
            print(f"BROKEN {promise.name}: {promise.claim}", flush=True)
            traceback.print_exc()
            return False
    seconds = time.monotonic() - begun
    said = f"{count:,} {promise.unit}{f': {words}' if words else ''}"
    print(f"kept   {promise.name}: {said} ({seconds:.1f} s)", flush=True)
    if is_full:
        seen = table.Seen(count, words, seed, _commit(), f"{datetime.date.today()}")
        _write({promise.name: seen.in_words(promise.unit)})
    return True


def _write(seen: Mapping[str, str]) -> None:
    table.PAGE.write_text(table.written(table.PAGE.read_text("utf-8"), PROMISES, seen), "utf-8")


def _commit() -> str:
    """The commit that is checked out, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
