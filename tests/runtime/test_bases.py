"""Which model file runs, and is it the one that was recorded."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import bases
from shammah.errors import BadModel, ModelMissing
from shammah.journal import Journal
from tests.splits import split
from tests.tiny import write_tiny


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as opened:
        yield opened


def test_without_a_path_the_seedling_serves() -> None:
    assert bases.resolve("") == bases.SEEDLING
    assert bases.is_seedling(bases.resolve(""))


def test_a_path_may_begin_at_home_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert bases.resolve("~/tiny.gguf") == bases.resolve("tiny.gguf") == file


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ModelMissing, match=r"/nowhere/x\.gguf"):
        bases.resolve("/nowhere/x.gguf")


def test_the_first_use_takes_the_hash_and_says_so(journal: Journal, tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    said: list[str] = []
    base = bases.identify(journal, file, said.append)
    assert base.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (base.name, base.architecture, base.size) == ("tiny", "qwen2", file.stat().st_size)
    assert said[0] == "First use of tiny.gguf: checking it."
    assert said[1:] == [
        f"Nothing here tells which bytes it should have: compare its sha256 with its source's, {base.sha256}."
    ]


def test_the_next_use_reads_the_file_no_more(journal: Journal, tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    base = replace(bases.identify(journal, file), sha256="ab" * 32)  # whoever reads the file knows better
    journal.bases.record(base)
    assert bases.identify(journal, file) == base


def test_a_change_in_place_is_noticed_though_its_time_is_set_back(journal: Journal, tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    before, stat = bases.identify(journal, file), file.stat()
    with file.open("r+b") as stream:
        stream.seek(-2, os.SEEK_END)
        stream.write(b"\0\x3c")  # 1.0 in F16
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = file.stat()
    same = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == same, "all but the kernel's own time is as it was"
    said: list[str] = []
    assert bases.identify(journal, file, said.append).sha256 != before.sha256
    assert said[0] == "tiny.gguf may have changed: hashing it."
    assert said[1].startswith("tiny.gguf is not the file that was recorded")


def test_what_changes_while_it_is_checked_is_refused(journal: Journal, tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")

    def opener(*_: Path) -> str:
        write_tiny(file, seed=1)
        return '{"name": "tiny", "architecture": "qwen2"}'

    with pytest.raises(BadModel, match="changed while it was checked"):
        bases.identify(journal, file, opener=opener)
    assert journal.bases.at(file) is None


@pytest.mark.parametrize("prefix", ["", "sha256-"])
def test_a_cache_that_names_its_files_by_hash_is_taken_at_its_word(
    journal: Journal, tmp_path: Path, prefix: str
) -> None:
    made = write_tiny(tmp_path / "tiny.gguf")
    blob = made.rename(tmp_path / f"{prefix}{hashlib.sha256(made.read_bytes()).hexdigest()}")
    (tmp_path / "model.gguf").symlink_to(blob)
    said: list[str] = []
    bases.identify(journal, tmp_path / "model.gguf", said.append)
    assert said == ["First use of model.gguf: checking it."], "there is something to compare with"
    write_tiny(blob, seed=1)
    with pytest.raises(BadModel, match="not the one that it is called by"):
        bases.identify(journal, tmp_path / "model.gguf")


@pytest.mark.parametrize("change", ["time", "inode", "size"])
def test_the_hash_is_taken_again_when_the_file_may_be_another(journal: Journal, tmp_path: Path, change: str) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    before = bases.identify(journal, file)
    match change:
        case "time":
            os.utime(file, (1, 1))
        case "inode":
            other = tmp_path / "copy"
            other.write_bytes(file.read_bytes())
            other.replace(file)
        case "size":
            write_tiny(file, template="x" * 5000)
    after = bases.identify(journal, file)
    assert after != before
    assert (after.sha256 == before.sha256) is (change != "size")
    assert journal.bases.at(file) == after


def test_the_same_model_elsewhere_is_the_same_lineage(journal: Journal, tmp_path: Path) -> None:
    first = bases.identify(journal, write_tiny(tmp_path / "one.gguf"))
    second = bases.identify(journal, write_tiny(tmp_path / "two.gguf"))
    assert first.sha256 == second.sha256
    assert journal.bases.at(tmp_path / "one.gguf") == first


def test_a_text_is_no_model(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "notes.gguf").write_text("notes")
    with pytest.raises(BadModel, match="is no GGUF file"):
        bases.identify(journal, tmp_path / "notes.gguf")


@pytest.mark.parametrize("part", ["header", "half"])
def test_a_truncated_model_is_refused_and_not_recorded(journal: Journal, tmp_path: Path, part: str) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    file.write_bytes(file.read_bytes()[: 2000 if part == "header" else file.stat().st_size // 2])
    with pytest.raises(BadModel, match="is refused"):
        bases.identify(journal, file)
    assert journal.bases.at(file) is None


def test_a_file_that_aborts_its_reader_is_refused(journal: Journal, tmp_path: Path) -> None:
    """Duplicate tokens end in GGML_ASSERT: the process that opens them is gone."""
    file = write_tiny(tmp_path / "tiny.gguf")
    data = file.read_bytes()
    token = (2).to_bytes(8, "little") + b"ls"
    assert data.count(token) == 1
    file.write_bytes(data.replace(token, (2).to_bytes(8, "little") + b"\xc4\xa0", 1))
    with pytest.raises(BadModel, match="twice"):
        bases.identify(journal, file)
    with pytest.raises(BadModel, match="ended by signal 6"):
        bases.open_in_child(file)


def test_weights_that_are_no_numbers_are_refused(journal: Journal, tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    data = bytearray(file.read_bytes())
    data[-4000:] = b"\x00\x7e" * 2000  # NaN in F16
    file.write_bytes(data)
    with pytest.raises(BadModel, match="not finite"):
        bases.identify(journal, file)


def test_the_probe_runs_no_code_of_the_folder_that_it_is_started_in(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "clone"
    trap.mkdir()
    (trap / "json.py").write_text("open('executed', 'w')")
    monkeypatch.chdir(trap)
    bases.identify(journal, write_tiny(tmp_path / "tiny.gguf"))
    assert not (trap / "executed").exists()


def test_of_several_places_the_one_that_is_still_there_counts(journal: Journal, tmp_path: Path) -> None:
    base = bases.identify(journal, write_tiny(tmp_path / "old.gguf"))
    (tmp_path / "old.gguf").rename(tmp_path / "new.gguf")
    bases.identify(journal, tmp_path / "new.gguf")
    found = journal.bases.find(base.sha256)
    assert found is not None
    assert found.path == str(tmp_path / "new.gguf")


def test_a_split_model_is_identified_by_all_its_parts(journal: Journal, tmp_path: Path) -> None:
    parts = split(write_tiny(tmp_path / "tiny.gguf"), 2)
    base = bases.identify(journal, bases.resolve(str(parts[1])))
    assert base.path == str(parts[0]), "any part leads to the first"
    assert base.sha256 == hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    assert base.size == sum(part.stat().st_size for part in parts)
    assert (base.name, bases.identify(journal, parts[0])) == ("tiny", base)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("change", ["time", "inode", "content"])
def test_a_change_in_any_part_is_noticed(journal: Journal, tmp_path: Path, place: int, change: str) -> None:
    parts = split(write_tiny(tmp_path / "tiny.gguf"), 2)
    before = bases.identify(journal, parts[0])
    part = parts[place]
    match change:
        case "time":
            os.utime(part, (1, 1))
        case "inode":
            (tmp_path / "copy").write_bytes(part.read_bytes())
            (tmp_path / "copy").replace(part)
        case "content":
            part.write_bytes(part.read_bytes()[:-2] + b"\0\x3c")  # 1.0 in F16
    after = bases.identify(journal, parts[0])
    assert after != before
    assert (after.sha256 == before.sha256) is (change != "content")


def test_a_part_that_is_missing_is_named(journal: Journal, tmp_path: Path) -> None:
    parts = split(write_tiny(tmp_path / "tiny.gguf"), 2)
    parts[1].unlink()
    for act in (lambda: bases.resolve(str(parts[0])), lambda: bases.identify(journal, parts[0])):
        with pytest.raises(ModelMissing, match=r"split-00002-of-00002\.gguf is missing") as caught:
            act()
        assert "2 parts" in caught.value.hint
