"""The test environment is pinned by hash."""

import re

from packaging.requirements import Requirement

from tests.supply.closure import ROOT, key, named
from tests.supply.pins import BY_VERSION_ALONE, FILE, pinned


def test_every_package_that_the_project_names_is_pinned_by_hash() -> None:
    wanted = {key(Requirement(row).name) for rows in named().values() for row in rows}
    assert wanted - BY_VERSION_ALONE <= pinned(FILE.read_text("utf-8")).keys()


def test_each_release_has_hashes() -> None:
    releases = re.split(r"^(?=[a-z0-9])", FILE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert len(releases) == len(pinned(FILE.read_text("utf-8")))
    assert [one.split(" ")[0] for one in releases if not re.search(r"--hash=sha256:[0-9a-f]{64}", one)] == []


def test_both_constraints_name_the_same_releases() -> None:
    plain = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    hashed = pinned(FILE.read_text("utf-8"))
    assert {name: hashed.get(key(name)) for name in plain if name not in BY_VERSION_ALONE} == {
        name: version for name, version in plain.items() if name not in BY_VERSION_ALONE
    }
