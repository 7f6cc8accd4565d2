"""A file that a server is said to run, and what the server tells of itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from shammah.bases import SEEDLING
from shammah.compatible import matching
from shammah.compatible.identity import Identity, Weights
from shammah.errors import NotServed
from shammah.records.bases import Base
from shammah_convert.sizes import Sizes

URL = "http://127.0.0.1:8080/v1"
BASE = Base("f" * 64, str(SEEDLING), 1, 0, 0, "seedling", "qwen2")
OURS = Sizes.read(SEEDLING)
SAME = Weights(OURS.parameters, OURS.size_bytes, OURS.vocabulary)


def compare(found: Identity, folder: Path, base: Base = BASE) -> list[str]:
    return matching.compare(URL, found, base, folder / f"x{matching.SUFFIX}")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (replace(SAME, parameters=494_032_768), r"494,032,768 parameters"),
        (replace(SAME, size_bytes=SAME.size_bytes * 2), r"bytes of tensors"),
        (replace(SAME, vocabulary=151_936), r"151,936 tokens in its vocabulary"),
        (Weights(parameters=1), "1 parameters"),
    ],
)
def test_a_model_of_other_sizes_is_refused_each_time_with_what_to_do(
    weights: Weights, words: str, tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(NotServed, match=words) as refused:
            compare(Identity("local", str(SEEDLING), weights), tmp_path)
    assert "shammah config unset model.path" in refused.value.hint


def test_the_same_file_in_another_folder_is_the_same(tmp_path: Path) -> None:
    assert compare(Identity("local", "/models/seedling.gguf", SAME), tmp_path) == []


def test_another_file_of_the_same_sizes_is_named_once(tmp_path: Path) -> None:
    found = Identity("local", "/models/tuned.gguf", SAME)
    [line] = compare(found, tmp_path)
    assert "/models/tuned.gguf" in line
    assert compare(found, tmp_path) == []


def test_what_tells_no_sizes_is_named_where_it_is_another_one_than_last_time(tmp_path: Path) -> None:
    assert compare(Identity("local", "Qwen/Qwen2.5-0.5B"), tmp_path) == []
    [line] = compare(Identity("local", "Qwen/Qwen2.5-1.5B"), tmp_path)
    assert "local (Qwen/Qwen2.5-1.5B) now, in the place of local (Qwen/Qwen2.5-0.5B)" in line


def test_another_file_of_ours_is_compared_anew(tmp_path: Path) -> None:
    found = Identity("local", "/models/tuned.gguf", SAME)
    compare(found, tmp_path)
    assert compare(found, tmp_path, replace(BASE, sha256="e" * 64)) != []


def test_a_note_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / f"x{matching.SUFFIX}").write_text("[]")
    assert compare(Identity("local", "", SAME), tmp_path) == []
