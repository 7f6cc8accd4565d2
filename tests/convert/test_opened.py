"""A base's file, read back, is what was written into it; any other file is refused with its name."""

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from shammah_convert.chat import QWEN25_SYSTEM, ChatFormat
from shammah_convert.mapped import MappedFile
from shammah_convert.names import gguf_name, hf_names
from shammah_convert.opened import OpenBase, size_label
from shammah_convert.shape import BadBase
from shammah_convert.vocabulary import Vocabulary
from tests.qwens import FILLERS, KINDS, LAYERS, Kind, vocabulary
from tests.tiny import write_tiny


@pytest.fixture(scope="module", params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def path(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kind.write(tmp_path_factory.mktemp("base") / "base.gguf")


def test_the_shape_is_the_written_one(kind: Kind, path: Path) -> None:
    # GGUF keeps both numbers as float32.
    expected = replace(kind.config, rms_epsilon=float(np.float32(1e-6)), rope_theta=1_000_000.0)
    assert OpenBase(path).config == expected


def test_the_vocabulary_is_the_written_one_and_its_fillers(kind: Kind, path: Path) -> None:
    written, read = vocabulary(kind.architecture), OpenBase(path).vocabulary()
    tokens, fillers = read.tokens[:-FILLERS], read.tokens[-FILLERS:]
    assert replace(read, tokens=tokens) == written
    assert len({*fillers} - {*written.tokens}) == FILLERS, "a row that no token has gets one of its own"
    assert OpenBase(path).rows == len(read.tokens)


def test_every_tensor_is_named_once(kind: Kind, path: Path) -> None:
    assert OpenBase(path).names() == list(hf_names(kind.architecture, LAYERS, kind.is_tied))


def test_a_tensor_is_what_its_packed_values_stand_for(kind: Kind, path: Path) -> None:
    base = OpenBase(path)
    packed = {str(tensor.name): tensor for tensor in gguf.GGUFReader(path).tensors}
    for name, written in kind.weights().items():
        values = base.tensor(name)
        tensor = packed[gguf_name(kind.architecture, LAYERS, name)]
        assert values.dtype == np.float32
        assert values.shape == written.shape, name
        np.testing.assert_array_equal(values, gguf.quants.dequantize(tensor.data, tensor.tensor_type))


def test_a_tensor_is_the_written_one_but_for_rounding(kind: Kind, path: Path) -> None:
    for name, written in kind.weights().items():
        # A float16 has 11 bits; Q8_0 has 127 steps, sized by a float16, up to the largest of 32 values: 1 here.
        largest = 0.0 if written.ndim == 1 else 2**-11 if kind.quantization == "F16" else 0.5 / 127 + 2**-11
        assert np.abs(OpenBase(path).tensor(name) - written).max() <= largest, name


def test_it_says_how_much_it_holds_and_in_which_types(kind: Kind, path: Path) -> None:
    base = OpenBase(path)
    assert base.parameters == sum(written.size for written in kind.weights().values())
    assert base.tensor_types == tuple(sorted({"F32", kind.quantization}))
    assert base.size_label == size_label(base.parameters)


def test_its_name_and_chat_format_are_read(tmp_path: Path) -> None:
    plain = OpenBase(write_tiny(tmp_path / "plain.gguf"))
    assert (plain.name, plain.chat_format) == ("tiny", ChatFormat())
    spoken = OpenBase(write_tiny(tmp_path / "spoken.gguf", template=f"... {QWEN25_SYSTEM} ..."))
    assert spoken.chat_format == ChatFormat(default_system=QWEN25_SYSTEM)
    thinks = OpenBase(write_tiny(tmp_path / "thinks.gguf", "qwen3", template="<think>"))
    assert thinks.chat_format == ChatFormat(has_empty_think=True)


@pytest.mark.parametrize(
    ("parameters", "label"),
    [
        # The seedling, Qwen2.5-0.5B, Qwen2.5-1.5B, Qwen3-1.7B, Qwen2.5-7B, Qwen3-32B as their cards count them.
        (11_153_152, "11M"),
        (494_032_768, "494M"),
        (1_543_714_304, "1.5B"),
        (1_720_574_976, "1.7B"),
        (7_615_616_512, "7.6B"),
        (32_762_123_264, "33B"),
        (1_000_000_000, "1B"),
        (1_000_000_000_000, "1T"),
        (52_300, "52K"),
        (7, "1K"),
    ],
)
def test_parameters_have_a_short_label(parameters: int, label: str) -> None:
    assert size_label(parameters) == label


@pytest.mark.parametrize("parameters", [999_499, 999_501, 9_960_000, 999_400_000, 999_600_000, 999_960_000_000])
def test_a_label_has_at_most_three_digits(parameters: int) -> None:
    assert len(size_label(parameters)[:-1].replace(".", "")) <= 3


@pytest.mark.parametrize("data", [b"", b"GGUF", b"no model at all", b"GGUF" + b"\xff" * 100])
def test_what_is_no_gguf_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.gguf").write_bytes(data)
    with pytest.raises(BadBase, match=r"x\.gguf cannot be read"):
        OpenBase(tmp_path / "x.gguf")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadBase, match=r"x\.gguf cannot be read"):
        OpenBase(tmp_path / "x.gguf")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    whole = write_tiny(tmp_path / "x.gguf").read_bytes()
    (tmp_path / "x.gguf").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadBase, match=r"x\.gguf cannot be read"):
        OpenBase(tmp_path / "x.gguf")


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    _write_header(tmp_path / "x.gguf", "llama")
    with pytest.raises(BadBase, match="'llama', not qwen2 or qwen3"):
        OpenBase(tmp_path / "x.gguf")


def test_a_shape_with_a_gap_is_refused(tmp_path: Path) -> None:
    _write_header(tmp_path / "x.gguf", "qwen2")
    with pytest.raises(BadBase, match=r"lacks qwen2\."):
        OpenBase(tmp_path / "x.gguf")


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(BadBase, match="gpt2/llama-bpe, not gpt2/qwen2"):
        Vocabulary.from_gguf(MappedFile(tmp_path / "x.gguf"))


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    path = Kind().write(tmp_path / "x.gguf")
    # The header says two layers more than the file has.
    data = path.read_bytes()
    key = b"qwen2.block_count"
    place = data.index(key) + len(key) + 4  # behind the key stands the type of its value
    path.write_bytes(data[:place] + (LAYERS + 2).to_bytes(4, "little") + data[place + 4 :])
    base = OpenBase(path)
    missing = next(name for name in base.names() if ".layers.2." in name)
    with pytest.raises(BadBase, match=r"lacks blk\.2\."):
        base.tensor(missing)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    kind = Kind()
    path = kind.write(tmp_path / "x.gguf")
    data = path.read_bytes()
    key = b"qwen2.feed_forward_length"
    place = data.index(key) + len(key) + 4
    path.write_bytes(data[:place] + (32).to_bytes(4, "little") + data[place + 4 :])
    with pytest.raises(BadBase, match=r"ffn_up.*\(96, 64\), not \(32, 64\)"):
        OpenBase(path).tensor("model.layers.0.mlp.up_proj.weight")


def test_the_padding_is_the_end_where_no_other_is_named(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(["l", "s", "ls", "<|im_end|>"])
    writer.add_token_types([gguf.TokenType.NORMAL] * 3 + [gguf.TokenType.CONTROL])
    writer.add_token_merges(["l s"])
    writer.add_eos_token_id(3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    read = Vocabulary.from_gguf(MappedFile(tmp_path / "x.gguf"))
    assert (read.end, read.padding, read.controls) == ("<|im_end|>", "<|im_end|>", frozenset({"<|im_end|>"}))


def _write_header(path: Path, architecture: str) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("x")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
