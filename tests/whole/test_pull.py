"""`shammah models list, pull, use, show, remove` as their users type them, against a hub on this machine."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shammah import bases, cli
from shammah.hub import PARTIAL_SUFFIX
from tests.hub_server import TOKEN, Hub
from tests.splits import split
from tests.tiny import write_tiny
from tests.whole.command import Home

SMALL = ("Qwen/Qwen2.5-0.5B-Instruct-GGUF", "qwen2.5-0.5b-instruct-q4_k_m.gguf")
RESEARCH = ("Qwen/Qwen2.5-3B-Instruct-GGUF", "qwen2.5-3b-instruct-q4_k_m.gguf")
OTHER = ("me/fine-GGUF", "fine-Q8_0.gguf")
LLAMA = ("me/llama-GGUF", "llama-Q4_K_M.gguf")
SPLIT = "qwen2.5-7b-instruct-q4_k_m"
PIECE = 2**20


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], bytes]:
    whole = write_tiny(tmp_path_factory.mktemp("split") / "whole.gguf")
    return {("Qwen/Qwen2.5-7B-Instruct-GGUF", part.name): part.read_bytes() for part in split(whole, 2, SPLIT)}


@pytest.fixture
def hub(tiny: bytes, parts: dict[tuple[str, str], bytes]) -> Iterator[Hub]:
    with Hub({SMALL: tiny, RESEARCH: tiny, OTHER: tiny, LLAMA: tiny, **parts}) as hub:
        hub.cards = {SMALL[0]: {"license": "apache-2.0"}, OTHER[0]: {"license": "apache-2.0"}}
        hub.cards[RESEARCH[0]] = {
            "license": "other",
            "license_name": "qwen-research",
            "license_link": "https://x.test/L",
        }
        hub.architectures = {LLAMA[0]: "llama"}
        yield hub


@pytest.fixture
def home(tmp_path: Path, hub: Hub) -> Home:
    online = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.address, "NO_PROXY": "127.0.0.1", "COLUMNS": "60"}
    return Home(tmp_path / "home", online | {"SHAMMAH_WORKER_ENABLED": "false"})


def blobs(home: Home) -> list[Path]:
    return sorted((home.path / "hub" / "hub").glob("models--*/blobs/*"))


def listed(home: Home) -> dict[str, dict[str, object]]:
    rows = json.loads(home.run("models", "list", "--json").stdout)["models"]
    return {row["name"]: row for row in rows}


def _when(look: Callable[[], list[Path]]) -> list[Path]:
    """What is seen, as soon as there is something."""
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


def test_a_pulled_model_answers_and_goes_away_again(home: Home, hub: Hub, tiny: bytes) -> None:
    done = home.run("models", "pull", "qwen2.5-0.5b")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.read_bytes() == tiny
    assert path.is_relative_to(home.path / "hub" / "hub"), "the hub's own cache"
    assert "licence apache-2.0" in done.stderr
    assert "answers from the next question on" in done.stderr
    assert home.ask("hello", "--max-tokens", "2")["model"] == "tiny"
    row = listed(home)["qwen2.5-0.5b"]
    assert (row["is_here"], row["is_used"]) == (True, True)
    kept = home.run("models", "remove", "qwen2.5-0.5b")  # it is in use
    assert (kept.returncode, "is in use" in kept.stderr, path.is_file()) == (2, True, True)
    assert home.run("models", "use", "seedling").returncode == 0
    assert home.run("models", "remove", "qwen2.5-0.5b").returncode == 0
    assert blobs(home) == []
    assert not path.exists()
    assert bases.SEEDLING.is_file()


def test_a_pull_that_was_killed_goes_on_where_it_stopped(home: Home, hub: Hub) -> None:
    content = bases.SEEDLING.read_bytes()
    hub.files[RESEARCH] = content
    hub.stall_after = 5 * PIECE + 7
    pull = ("models", "pull", "qwen2.5-3b", "--force", "--yes")
    command = [sys.executable, "-m", "shammah", *pull]
    child = subprocess.Popen(command, env=home.environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert hub.has_stalled.wait(30)
    (part,) = _when(lambda: [one for one in blobs(home) if one.stat().st_size >= 5 * PIECE])
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert part.stat().st_size == 5 * PIECE
    done = home.run(*pull)
    assert done.returncode == 0, done.stderr
    assert hub.bodies() == [None, f"bytes={5 * PIECE}-"]
    assert Path(done.stdout.strip()).read_bytes() == content
    assert len(blobs(home)) == 1, "no part is left"


def test_a_hub_that_breaks_half_way_loses_nothing(home: Home, hub: Hub) -> None:
    hub.files[SMALL] = bases.SEEDLING.read_bytes()
    hub.cut_after, hub.breaks = 3 * PIECE, True
    done = home.run("models", "pull", "qwen2.5-0.5b")
    assert done.returncode == 1, done.stderr
    assert "goes on where it stopped" in done.stderr
    assert "Traceback" not in done.stderr
    assert [part.stat().st_size for part in blobs(home)] == [3 * PIECE]


def test_bytes_with_another_checksum_are_refused_and_gone(home: Home, hub: Hub) -> None:
    hub.is_corrupt = True
    done = home.run("models", "pull", "qwen2.5-0.5b")
    assert (done.returncode, "another sha256" in done.stderr) == (1, True), done.stderr
    assert blobs(home) == []
    assert not (home.path / "config.toml").exists()


@pytest.mark.parametrize("told", ["told_sha256", "told_path"])
def test_a_hub_that_tells_names_that_lead_elsewhere_touches_nothing_there(home: Home, hub: Hub, told: str) -> None:
    precious = home.path.parent / "precious.gguf"
    precious.write_text("not the hub's")
    way = "../../../../../precious.gguf"  # out of blobs, of the repository, the cache, its folder and the home
    setattr(hub, told, "./" * ((64 - len(way)) // 2) + way if told == "told_sha256" else way)
    done = home.run("models", "pull", f"hf:{OTHER[0]}")
    assert "Traceback" not in done.stderr
    assert precious.read_text() == "not the hub's"
    assert sorted(path.name for path in home.path.parent.iterdir()) == ["home", "precious.gguf"]


def test_a_damaged_part_is_begun_anew(home: Home, hub: Hub, tiny: bytes) -> None:
    folder = home.path / "hub" / "hub" / f"models--{SMALL[0].replace('/', '--')}" / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{hashlib.sha256(tiny).hexdigest()}{PARTIAL_SUFFIX}").write_bytes(b"x" * 1000)
    done = home.run("models", "pull", "qwen2.5-0.5b")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == tiny
    assert hub.bodies() == ["bytes=1000-", None]


def test_too_small_a_disk_is_told_before_anything_is_fetched(home: Home, hub: Hub) -> None:
    hub.told_bytes = 9 * 10**17
    done = home.run("models", "pull", "qwen2.5-0.5b", "--force")
    assert (done.returncode, hub.bodies()) == (1, []), done.stderr
    assert "are free in" in done.stderr


def test_a_disk_that_becomes_full_keeps_what_came(home: Home, hub: Hub) -> None:
    hub.files[SMALL] = bases.SEEDLING.read_bytes()
    command = [sys.executable, "-m", "shammah", "models", "pull", "qwen2.5-0.5b"]
    done = subprocess.run(
        command, env=home.environment(), capture_output=True, text=True, check=False, preexec_fn=_limit_files
    )
    assert (done.returncode, "the disk is full" in done.stderr) == (1, True), done.stderr
    assert [part.stat().st_size for part in blobs(home)] == [4 * PIECE]


def _limit_files() -> None:
    """As a full disk shows: no file may be larger."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * PIECE, 4 * PIECE))


def test_a_split_model_comes_whole_and_answers(home: Home, hub: Hub) -> None:
    done = home.run("models", "pull", "qwen2.5-7b", "--force")
    assert done.returncode == 0, done.stderr
    first = Path(done.stdout.strip())
    assert sorted(path.name for path in first.parent.iterdir()) == [f"{SPLIT}-0000{n}-of-00002.gguf" for n in (1, 2)]
    assert home.ask("hello", "--max-tokens", "2")["model"] == "tiny"


def test_a_licence_that_is_not_apache_is_agreed_to_first(home: Home, hub: Hub) -> None:
    refused = home.run("models", "pull", "qwen2.5-3b", "--force")
    assert (refused.returncode, hub.bodies()) == (3, []), refused.stderr
    assert "qwen-research" in refused.stderr
    assert "https://x.test/L" in refused.stderr


def test_any_repository_of_the_hub_is_taken_by_quantization(home: Home) -> None:
    wrong = home.run("models", "pull", "hf:me/fine-GGUF:Q4_K_M")
    assert (wrong.returncode, "It has Q8_0." in wrong.stderr) == (1, True), wrong.stderr
    assert home.run("models", "pull", "hf:me/fine-GGUF:q8_0").returncode == 0
    assert home.ask("hello", "--max-tokens", "2", "--model", "hf:me/fine-GGUF:Q8_0")["model"] == "tiny"


def test_a_gated_repository_is_had_with_a_token_alone(home: Home, hub: Hub) -> None:
    hub.gated = {OTHER[0]}
    refused = home.run("models", "pull", "hf:me/fine-GGUF:Q8_0")
    assert (refused.returncode, "HF_TOKEN" in refused.stderr) == (1, True), refused.stderr
    home.variables["HF_TOKEN"] = TOKEN
    assert home.run("models", "pull", "hf:me/fine-GGUF:Q8_0").returncode == 0


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("hf:nobody/nothing:Q4_K_M", 1, "nobody/nothing"), ("hf:me/llama-GGUF:Q4_K_M", 3, "of the kind llama")],
)
def test_what_the_hub_does_not_have_is_told(home: Home, name: str, code: int, words: str) -> None:
    done = home.run("models", "pull", name)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("pull", "qwen2.5-15b"), 2, "qwen2.5-1.5b"),
        (("pull", "hf:me"), 2, "hf:OWNER/REPOSITORY:QUANT"),
        (("use", "qwen2.5-0.5b"), 3, "models pull qwen2.5-0.5b"),
        (("use", "/nowhere.gguf"), 3, "no model at /nowhere.gguf"),
        (("remove", "qwen2.5-0.5b"), 3, "not on this machine"),
        (("remove", "ollama:qwen2.5:7b"), 2, "another program"),
        (("show", "qwen2.5-15b"), 3, "qwen2.5-1.5b"),
    ],
)
def test_what_cannot_be_done_ends_in_one_sentence_and_a_next_step(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    for name in ("SHAMMAH_HOME", "HF_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["shammah", "models", *arguments])
    monkeypatch.setattr(os, "umask", lambda _: 0)  # it is this process's own
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, words in capsys.readouterr().err) == (code, True)


def test_nothing_is_pulled_in_offline_mode(home: Home, hub: Hub) -> None:
    home.variables["SHAMMAH_OFFLINE"] = "1"
    done = home.run("models", "pull", "qwen2.5-0.5b")
    assert (done.returncode, hub.requests) == (1, []), done.stderr
    assert "offline" in done.stderr


def test_a_cut_file_is_refused_and_the_choice_stays(home: Home, tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "cut.gguf")
    os.truncate(file, file.stat().st_size - 1000)
    done = home.run("models", "use", str(file))
    assert (done.returncode, "is refused" in done.stderr) == (3, True), done.stderr
    assert not (home.path / "config.toml").exists()


def test_the_list_shows_the_sum_within_sixty_columns_and_asks_nobody(home: Home, hub: Hub) -> None:
    done = home.run("models", "list")
    assert (done.returncode, done.stderr, hub.requests) == (0, "", [])
    assert max(map(len, done.stdout.splitlines())) <= 60, done.stdout
    for words in ("free now", "KV cache for 8,192 tokens", "qwen3-14b", "licence qwen-research"):
        assert words in done.stdout
    shown = home.run("models", "show", "qwen2.5-0.5b").stdout
    # 491 MB, 8,192 tokens of 24 layers with 2 heads of 64 keys and values of 2 bytes, and 400 MiB.
    for words in ("0.5 GB  file", "0.1 GB  KV cache for 8,192 tokens", "0.4 GB  to compute", "1.0 GB  in all"):
        assert words in shown
    assert "not here" in shown
