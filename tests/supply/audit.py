"""Known vulnerabilities of what is pinned: `python -m tests.supply.audit PIP_AUDIT`, where its data can be reached.

pip-audit finds "no known vulnerabilities" where it was told nothing about a release: what was skipped is counted here.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.supply.pins import FILE, pinned

SECONDS = 300


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        known: How many releases something is known of.
        vulnerable: Releases, each with what is known against it.
    """

    known: int
    vulnerable: tuple[str, ...]


def main(pip_audit: str) -> int:
    """Audit what is pinned; 1 where something is known against it."""
    releases = pinned(FILE.read_text("utf-8"))
    # One first: where nothing is said of it, nobody is asked about a hundred others.
    for wanted in (dict(list(releases.items())[:1]), releases):
        found = _audited(pip_audit, wanted)
        if not found.known:
            sys.stdout.write("not audited: nothing about known vulnerabilities can be reached from here\n")
            return 0
    sys.stdout.write(f"{found.known} of {len(releases)} releases audited, {len(found.vulnerable)} vulnerable\n")
    sys.stdout.writelines(f"{line}\n" for line in found.vulnerable)
    return 1 if found.vulnerable else 0


def judged(report: Mapping[str, Any]) -> Audit:
    """What a report says."""
    told = [row for row in report["dependencies"] if "skip_reason" not in row]
    bad = (f"{row['name']} {row['version']}: {_ids(row)}" for row in told if row["vulns"])
    return Audit(len(told), tuple(bad))


def _ids(row: Mapping[str, Any]) -> str:
    return ", ".join(found["id"] for found in row["vulns"])


def _audited(pip_audit: str, releases: Mapping[str, str]) -> Audit:
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder) / "releases.txt", Path(folder) / "report.json"
        wanted.write_text("".join(f"{name}=={version}\n" for name, version in releases.items()))
        command = [pip_audit, "--no-deps", "--disable-pip", "-r", str(wanted), "--format", "json", "-o", str(report)]
        try:
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return Audit(0, ())
        return judged(json.loads(report.read_text())) if report.exists() else Audit(0, ())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
