"""Downloads from a real HTTP server, each in a child process: the hub reads its environment at import."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import COMMIT, Hub

REPOSITORY, FILE = "owner/model", "weights.gguf"
# More than the hub's own chunk of 10 MiB, so that a cut leaves something to go on from.
CONTENT = bytes(range(256)) * 4096 * 12
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WRONG = "0" * 64

CHILD = """
import json, sys
from shammah import download
from shammah.errors import DownloadFailed
verb, *arguments = json.loads(sys.argv[1])
try:
    path = getattr(download, verb)(*arguments)
    print(json.dumps({"path": path and str(path)}))
except DownloadFailed as error:
    print(json.dumps({"error": str(error), "hint": error.hint, "has_cause": error.__cause__ is not None}))
"""


class Machine:
    """A machine with an empty hub cache and one hub."""

    def __init__(self, home: Path, endpoint: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        self.home = home
        self.environment = kept | {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1"}

    def run(self, *call: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", CHILD, json.dumps(call)]
        variables = self.environment | environment
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=True)

    def fetch(self, file: str = FILE, sha256: str | None = SHA256, **environment: str) -> dict[str, str]:
        answer: dict[str, str] = json.loads(self.run("fetch", REPOSITORY, file, COMMIT, sha256, **environment).stdout)
        return answer

    def cached(self) -> str | None:
        path: str | None = json.loads(self.run("cached", REPOSITORY, FILE, COMMIT).stdout)["path"]
        return path

    def stored_bytes(self) -> int:
        """What the cache holds; a link counts nothing."""
        files = (path for path in self.home.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files if path.name != "CACHEDIR.TAG")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub({(REPOSITORY, FILE): CONTENT}) as hub:
        yield hub


@pytest.fixture
def machine(tmp_path: Path, hub: Hub) -> Machine:
    return Machine(tmp_path / "hf", hub.address)


def test_a_fetched_file_is_whole_and_in_the_hubs_own_cache(machine: Machine) -> None:
    path = Path(machine.fetch()["path"])
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(machine.home / "hub")


# Makes the hub draw its bars although stderr is no terminal.
BARS = {"TQDM_POSITION": "-1"}


def test_a_fetch_writes_nothing_to_stderr(machine: Machine, hub: Hub) -> None:
    hub.cut_after = 1000  # the hub warns about this one
    assert machine.run("fetch", REPOSITORY, FILE, COMMIT, SHA256, **BARS).stderr == ""


def test_a_fetch_that_is_not_quiet_shows_a_bar(machine: Machine) -> None:
    assert "100%" in machine.run("fetch", REPOSITORY, FILE, COMMIT, SHA256, False, **BARS).stderr


def test_a_cut_download_goes_on_where_it_broke(machine: Machine, hub: Hub) -> None:
    hub.cut_after = 11 * 2**20
    assert Path(machine.fetch()["path"]).read_bytes() == CONTENT
    whole, rest = hub.bodies()
    assert whole is None
    assert rest == f"bytes={10 * 2**20}-"


def test_a_second_fetch_asks_for_nothing(machine: Machine, hub: Hub) -> None:
    first = machine.fetch()
    before = len(hub.requests)
    assert machine.fetch() == first
    assert len(hub.requests) == before


def test_wrong_bytes_are_refused_and_not_kept(machine: Machine) -> None:
    answer = machine.fetch(sha256=WRONG)
    assert WRONG in answer["error"]
    assert machine.cached() is None
    assert machine.stored_bytes() == 0


def test_bytes_that_went_wrong_on_the_disk_are_fetched_again(machine: Machine) -> None:
    path = Path(machine.fetch()["path"])
    path.write_bytes(b"x" + CONTENT[1:])
    assert "error" in machine.fetch()
    assert Path(machine.fetch()["path"]).read_bytes() == CONTENT


def test_a_file_without_a_known_hash_is_taken(machine: Machine) -> None:
    assert Path(machine.fetch(sha256=None)["path"]).read_bytes() == CONTENT


def test_a_missing_file_is_our_error_with_its_cause(machine: Machine) -> None:
    answer = machine.fetch(file="no-such-file.gguf")
    assert "no-such-file.gguf of owner/model" in answer["error"]
    assert "names" in answer["hint"]
    assert answer["has_cause"]


def test_a_hub_that_is_gone_is_our_error(tmp_path: Path) -> None:
    with Hub({}) as gone:
        machine = Machine(tmp_path, gone.address)
    answer = machine.fetch()
    assert FILE in answer["error"]
    assert "connection" in answer["hint"]


def test_a_fetch_asks_the_network_for_nothing_when_the_hub_is_told_to_be_offline(machine: Machine, hub: Hub) -> None:
    answer = machine.fetch(HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in answer["hint"]
    assert hub.requests == []


def test_a_cached_file_is_had_offline(machine: Machine) -> None:
    assert machine.fetch() == machine.fetch(HF_HUB_OFFLINE="1")


def test_looking_into_the_cache_asks_the_network_for_nothing(machine: Machine, hub: Hub) -> None:
    assert machine.cached() is None
    assert hub.requests == []


def test_a_fetched_file_is_found_in_the_cache(machine: Machine) -> None:
    assert machine.fetch()["path"] == machine.cached()


def test_requests_name_the_file_and_no_installed_library(machine: Machine, hub: Hub) -> None:
    machine.fetch()
    assert {path for _, path, _, _ in hub.requests} == {f"/{REPOSITORY}/resolve/{COMMIT}/{FILE}"}
    assert not any("torch" in agent for _, _, _, agent in hub.requests)
