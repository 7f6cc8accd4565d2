"""A split model is the whole one: read from any part, and refused when a part is missing or another's."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from shammah.local import LocalModel
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BadBase
from shammah_convert.split import parts_of, stem_of
from tests.qwens import Kind
from tests.splits import split


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return Kind().write(tmp_path / "whole.gguf")


@pytest.fixture
def parts(whole: Path) -> tuple[Path, ...]:
    found = split(whole, 3)
    assert len(found) == 3
    assert all(part.is_file() for part in found)
    return found


@pytest.mark.parametrize(
    ("name", "parts", "stem"),
    [
        ("x.gguf", ["x.gguf"], "x"),
        ("x-00001-of-00001.gguf", ["x-00001-of-00001.gguf"], "x"),
        ("x-00002-of-00002.gguf", ["x-00001-of-00002.gguf", "x-00002-of-00002.gguf"], "x"),
        ("a-00001-of-00002-b.gguf", ["a-00001-of-00002-b.gguf"], "a-00001-of-00002-b"),
        ("x-1-of-2.gguf", ["x-1-of-2.gguf"], "x-1-of-2"),
    ],
)
def test_the_parts_are_known_from_the_name(name: str, parts: list[str], stem: str) -> None:
    assert [part.name for part in parts_of(Path("/models") / name)] == parts
    assert stem_of(Path(name)) == stem


@pytest.mark.parametrize("place", [0, 1, 2])
def test_any_part_leads_to_the_whole_model(whole: Path, parts: tuple[Path, ...], place: int) -> None:
    one, many = OpenBase(whole), OpenBase(parts[place])
    assert (many.config, many.vocabulary(), many.parameters) == (one.config, one.vocabulary(), one.parameters)
    for name in one.names():
        np.testing.assert_array_equal(many.tensor(name), one.tensor(name))


def test_llama_cpp_says_the_same_with_the_parts_as_with_the_whole(whole: Path, parts: tuple[Path, ...]) -> None:
    with LocalModel(whole, gpu_layers=0) as one, LocalModel(parts[0], gpu_layers=0) as many:
        np.testing.assert_array_equal(many.logits([5, 6, 7]), one.logits([5, 6, 7]))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_missing_part_is_named(parts: tuple[Path, ...], place: int) -> None:
    parts[place].unlink()
    with pytest.raises(BadBase, match=rf"split-0000{place + 1}-of-00003\.gguf is missing: the model has 3 parts"):
        OpenBase(parts[0])


def test_a_part_under_another_parts_name_is_refused(parts: tuple[Path, ...]) -> None:
    parts[2].write_bytes(parts[1].read_bytes())
    with pytest.raises(BadBase, match=r"00003-of-00003\.gguf says that it is part 2 of 3, not 3 of 3"):
        OpenBase(parts[0])


def test_a_part_under_a_whole_models_name_is_refused(parts: tuple[Path, ...], tmp_path: Path) -> None:
    renamed = parts[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(BadBase, match="says that it is part 1 of 3, not 1 of 1"):
        OpenBase(renamed)


def test_parts_that_hold_another_number_of_tensors_than_they_say_are_refused(parts: tuple[Path, ...]) -> None:
    count = len(OpenBase(parts[0]).names())
    data = parts[0].read_bytes()
    key = gguf.Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT.encode()
    place = data.index(key) + len(key) + 4  # behind the key stands the type of its value
    parts[0].write_bytes(data[:place] + (count + 1).to_bytes(4, "little") + data[place + 4 :])
    with pytest.raises(BadBase, match=rf"hold {count} different tensors of {count}, not {count + 1}"):
        OpenBase(parts[0])
