"""`python -m tests.supply`: write the licence list and the hash-pinned constraints anew, from what is installed here.

Hashes of every file of a release come from uv, which has to be on the path; `--licences` does without it.
"""

import argparse
import sys

from tests.supply import licences, pins
from tests.supply.closure import missing, packages


def main() -> int:
    """Write both lists, or check; 1 where a package of the project is not installed."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply", description=main.__doc__)
    parser.add_argument("--licences", action="store_true", help="the licence list alone")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where something else is installed")
    given = parser.parse_args()
    if absent := missing():
        sys.stderr.write(f"not installed: {', '.join(absent)}\n")
        return 1
    if given.check:
        return _check()
    page = licences.PAGE.read_text("utf-8")
    licences.PAGE.write_text(licences.written(page, packages()), "utf-8")
    if not given.licences:
        pins.FILE.write_text(pins.written(packages()), "utf-8")
    return 0


def _check() -> int:
    """Say what is installed in the place of what is pinned."""
    wanted = pins.pinned(pins.FILE.read_text("utf-8"))
    others = [one for one in packages() if wanted.get(one.name, one.version) != one.version]
    sys.stderr.writelines(f"{one.name} is {one.version}, pinned is {wanted[one.name]}\n" for one in others)
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
