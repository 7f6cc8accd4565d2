"""`python -m tests.supply`: write the licence list and the hash-pinned constraints anew, from what is installed here.

Hashes of every file of a release come from uv, where it is on the path: `--licences` does without it.
"""

import argparse
import sys

from tests.supply import licences, pins
from tests.supply.closure import missing, packages


def main() -> int:
    """Write both; 1 where a package of the project is not installed."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply", description=main.__doc__)
    parser.add_argument("--licences", action="store_true", help="the licence list alone")
    given = parser.parse_args()
    if absent := missing():
        sys.stderr.write(f"not installed: {', '.join(absent)}\n")
        return 1
    page = licences.PAGE.read_text("utf-8")
    licences.PAGE.write_text(licences.written(page, packages()), "utf-8")
    if not given.licences:
        pins.FILE.write_text(pins.written(packages()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
