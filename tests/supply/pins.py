"""The test environment, pinned by hash: every file of each release that the tests run with, but for torch."""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.supply.closure import ROOT, Package

FILE = ROOT / "constraints-hashes.txt"
BY_VERSION_ALONE = frozenset({"pip", "torch"})
"""An environment brings its own pip. torch's CPU build, which the tests run with, and its plain release are different
files of one version."""

_HEAD = """# What the tests ran with, file by file, as `python -m tests.supply` writes it; .ci/run installs it with
# --require-hashes. torch is pinned in constraints.txt, by its version alone: its CPU build and its plain release are
# different files of one version, from different places.
"""
_RELEASE = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+) ", re.MULTILINE)


def written(packages: Sequence[Package]) -> str:
    """The file's text; uv says which files a release has.

    Raises:
        subprocess.CalledProcessError: It cannot.
    """
    wanted = [f"{one.name}=={one.version}\n" for one in packages if one.name not in BY_VERSION_ALONE]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "releases.txt"
        file.write_text("".join(wanted))
        command = ["uv", "pip", "compile", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate", str(file)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return _HEAD + done.stdout


def pinned(text: str) -> Mapping[str, str]:
    """Versions by name."""
    return {match["name"]: match["version"] for match in _RELEASE.finditer(text)}
