"""safetensors files are read as float32, whatever weights are stored in; broken ones are refused by name."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from shammah_convert.stored import BadTensors, StoredTensors

KINDS = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
VALUES = torch.tensor([[1.5, -2.25], [0.3, 0.0]])


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_each_type_is_read_as_torch_reads_it(tmp_path: Path, kind: torch.dtype) -> None:
    save_file({"x": VALUES.to(kind), "scalar": torch.tensor(3.0).to(kind)}, tmp_path / "x.safetensors", {"a": "b"})
    read = StoredTensors([tmp_path / "x.safetensors"])
    np.testing.assert_array_equal(read["x"], VALUES.to(kind).float().numpy())
    assert read["x"].dtype == np.float32
    assert (read["scalar"].shape, float(read["scalar"])) == ((), 3.0)
    assert (read.parameters, read.metadata["a"]) == (5, "b")
    assert read.matrix_kinds == {KINDS[kind]}


def test_bfloat16_reaches_as_far_as_float32(tmp_path: Path) -> None:
    save_file({"x": torch.tensor([3.0e38]).bfloat16()}, tmp_path / "x.safetensors")
    read = StoredTensors([tmp_path / "x.safetensors"])
    assert 2.9e38 < float(read["x"][0]) < 3.1e38
    assert read.matrix_kinds == frozenset(), "it is a vector"


def test_several_files_are_one_table_and_one_tensor_can_be_left_out(tmp_path: Path) -> None:
    for name in "ab":
        save_file({name: VALUES}, tmp_path / f"{name}.safetensors")
    read = StoredTensors(sorted(tmp_path.iterdir()))
    assert set(read) == {"a", "b"}
    assert set(read.without("a")) == set(read.without("a").without("c")) == {"b"}


def test_a_tensor_that_two_files_hold_is_refused(tmp_path: Path) -> None:
    for name in "ab":
        save_file({"x": VALUES}, tmp_path / f"{name}.safetensors")
    with pytest.raises(BadTensors, match=r"b\.safetensors holds x, which another file holds too"):
        StoredTensors(sorted(tmp_path.iterdir()))


def test_integers_are_no_weights(tmp_path: Path) -> None:
    save_file({"x": torch.tensor([1])}, tmp_path / "x.safetensors")
    with pytest.raises(BadTensors, match="holds x as I64, not F32, F16 or BF16"):
        StoredTensors([tmp_path / "x.safetensors"])


@pytest.mark.parametrize(
    "entry",
    [
        {"data_offsets": [0, 32]},  # beyond the file
        {"data_offsets": [-8, 8]},  # inside the header
        {"shape": [2, 3]},
        {"shape": [-2, -2]},
        {"shape": [2**40, 2**40]},
        {"shape": 4},
        {"dtype": None},
        {"data_offsets": [16]},
    ],
)
def test_a_header_that_lies_is_refused_by_name(tmp_path: Path, entry: Mapping[str, object]) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **entry}}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(BadTensors, match=r"x\.safetensors"):
        StoredTensors([tmp_path / "x.safetensors"])


@pytest.mark.parametrize("data", [None, b"", b"x", bytes(8), b"\xff" * 8, b"\x02" + bytes(7) + b"[]"])
def test_what_is_no_safetensors_is_refused_by_name(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(BadTensors, match=r"x\.safetensors cannot be read"):
        StoredTensors([tmp_path / "x.safetensors"])
