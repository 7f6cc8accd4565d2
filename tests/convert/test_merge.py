"""A merged file is the base with the adapter: in llama.cpp, in each changed tensor, and byte for byte elsewhere."""

from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from shammah.local import LocalModel
from shammah.local.quantizer import FILE_TYPES
from shammah.local.quantizer import main as quantize
from shammah_convert import ggml
from shammah_convert.base import About, write_base
from shammah_convert.job import AdapterFile
from shammah_convert.lora import Adapter, BadAdapter, BadValues, write_lora
from shammah_convert.merge import write_merged
from shammah_convert.names import hf_names
from shammah_convert.opened import OpenBase
from shammah_convert.parts import open_parts
from shammah_convert.rewrite import rewrite
from shammah_convert.shape import BadBase, BaseConfig, shape_of
from tests.lora_files import make_lora
from tests.splits import split
from tests.tiny import vocabulary

WIDE = BaseConfig("qwen2", 256, 512, 2, 4, 2, 64, 512, is_tied=True)
"""Rows of K-quants are multiples of 256."""
PARTS = ("mlp.up_proj", "mlp.down_proj", "self_attn.q_proj")
MODULES = [f"model.layers.{layer}.{part}" for layer in range(WIDE.layers) for part in PARTS]
PROMPTS = [[token, token + 1, token + 2] for token in range(20, 60, 4)]
NAME = "tiny, corrected"


@dataclass(frozen=True)
class Case:
    """A base of one type.

    Attributes:
        tolerance: Of the logits' root mean square difference; the adapters move them by 0.84 to 1.51.
        share: Of the rounding at scale 1.
    """

    kind: str
    tolerance: float
    share: float


# Measured with three adapters at the scales 1 and -0.5: 0.0022, 0.047, 0.098, 0.28 at most. llama.cpp rounds what it
# multiplies quantized matrices with to eight bits, for the merged and for the bare base alike.
CASES = (Case("F16", 0.005, 0.001), Case("Q8_0", 0.1, 0.015), Case("Q6_K", 0.2, 0.05), Case("Q4_K_M", 0.5, 0.18))
LEAST_CHANGE = 0.7


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.kind)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def base(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wide(tmp_path_factory.mktemp(case.kind) / "base.gguf", case.kind)


def write_wide(path: Path, kind: str) -> Path:
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(0, 0.1, shape) if len(shape) > 1 else random.uniform(0.5, 1.5, shape)
        for name in hf_names("qwen2", WIDE.layers, is_tied=True)
        if (shape := shape_of(WIDE, name, len(vocabulary().tokens)))
    }
    plain = path.with_name("plain.gguf") if kind in FILE_TYPES else path
    write_base(plain, WIDE, weights, vocabulary(), About("tiny", "apache-2.0", extra={"shammah.answer": 42}), "F16")
    if kind in FILE_TYPES:
        assert quantize(str(plain), str(path), kind, "1") == 0
    return path


def adapter(seed: int = 7) -> Adapter:
    return make_lora(base=WIDE, modules=MODULES, seed=seed, scale=0.12)


@pytest.mark.parametrize("scale", [1.0, -0.5])
def test_llama_cpp_says_the_same_with_the_merged_file_as_with_the_live_adapter(
    case: Case, base: Path, tmp_path: Path, scale: float
) -> None:
    write_lora(tmp_path / "a.gguf", adapter(), WIDE)
    write_merged(tmp_path / "merged.gguf", OpenBase(base), adapter(), scale, NAME)
    with LocalModel(base, gpu_layers=0) as model:
        bare = logits(model)
        model.apply([AdapterFile("a", str(tmp_path / "a.gguf"), "", scale)])
        live = logits(model)
    with LocalModel(tmp_path / "merged.gguf", gpu_layers=0) as model:
        merged = logits(model)
        assert model.facts.name == NAME
    assert (live - bare).std() > LEAST_CHANGE
    assert (merged - live).std() < case.tolerance


def logits(model: LocalModel) -> NDArray[np.float32]:
    return np.stack([model.logits(tokens) for tokens in PROMPTS])


def test_it_does_not_matter_in_how_many_pieces_a_tensor_is_merged(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, values in (("few", 2**22), ("many", 1000)):
        monkeypatch.setattr("shammah_convert.merge.CHUNK_VALUES", values)
        write_merged(tmp_path / name, OpenBase(base), adapter(), 1.0, NAME, threads=2)
    assert (tmp_path / "few").read_bytes() == (tmp_path / "many").read_bytes()


def test_a_changed_tensor_is_the_base_and_the_change_packed_again(base: Path, tmp_path: Path) -> None:
    write_merged(tmp_path / "merged.gguf", OpenBase(base), adapter(), 0.5, NAME, threads=2)
    before, after = OpenBase(base), OpenBase(tmp_path / "merged.gguf")
    for module, (lora_a, lora_b) in adapter().pairs.items():
        wanted = before.tensor(f"{module}.weight") + 0.5 * adapter().alpha / len(lora_a) * (lora_b @ lora_a)
        packed, kind = after.packed(f"{module}.weight")
        assert kind == before.packed(f"{module}.weight")[1]
        assert np.abs(ggml.unpack(packed, kind) - wanted).max() < 0.2 * np.abs(wanted).max(), module
        if kind.name in ("F16", "Q8_0"):  # what gguf-py writes too; a sum may round to its neighbour
            theirs = gguf.quants.quantize(wanted.astype(np.float32), kind).view(np.uint8).reshape(packed.shape)
            assert np.mean(theirs == packed) > 0.999


def test_all_else_is_the_same_byte_for_byte(base: Path, tmp_path: Path) -> None:
    write_merged(tmp_path / "merged.gguf", OpenBase(base), adapter(), 1.0, NAME)
    before, after = gguf.GGUFReader(base), gguf.GGUFReader(tmp_path / "merged.gguf")
    assert list(before.fields) == list(after.fields)
    for key in before.fields:
        was, now = ([part.tobytes() for part in reader.fields[key].parts] for reader in (before, after))
        assert (was == now) is (key != "general.name"), key
    changed = {tensor.name for tensor in before.tensors if _changes(tensor.name)}
    for was, now in zip(before.tensors, after.tensors, strict=True):
        assert (was.name, was.tensor_type, list(was.shape)) == (now.name, now.tensor_type, list(now.shape))
        assert (was.data.tobytes() == now.data.tobytes()) is (was.name not in changed), was.name
    assert len(changed) == len(MODULES)
    assert (tmp_path / "merged.gguf").stat().st_size - base.stat().st_size in range(-64, 65)


def _changes(name: str) -> bool:
    return any(part in name for part in ("ffn_up", "ffn_down", "attn_q.weight"))


def test_the_rounding_is_measured(case: Case, base: Path, tmp_path: Path) -> None:
    rounding = write_merged(tmp_path / "merged.gguf", OpenBase(base), adapter(), 1.0, NAME)
    before, after = OpenBase(base), OpenBase(tmp_path / "merged.gguf")
    changes, errors = [], []
    for module, (lora_a, lora_b) in adapter().pairs.items():
        changes.append((adapter().alpha / len(lora_a) * (lora_b @ lora_a)).ravel())
        wanted = before.tensor(f"{module}.weight").ravel() + changes[-1]
        errors.append(after.tensor(f"{module}.weight").ravel() - wanted)
    share = np.concatenate(errors).std() / np.concatenate(changes).std()
    assert rounding.share == pytest.approx(share, rel=0.01)
    assert 0 < share < case.share


def test_a_split_base_becomes_one_file(tmp_path: Path) -> None:
    whole = write_wide(tmp_path / "base.gguf", "F16")
    for name, source in (("one", whole), ("many", split(whole, 3)[1])):
        write_merged(tmp_path / f"{name}.gguf", OpenBase(source), adapter(), 1.0, NAME)
    assert (tmp_path / "many.gguf").read_bytes() == (tmp_path / "one.gguf").read_bytes()


def test_rewritten_under_its_own_name_a_file_is_the_same(base: Path, tmp_path: Path) -> None:
    rewrite(open_parts(base), tmp_path / "again.gguf", "tiny", lambda *_: None)
    assert (tmp_path / "again.gguf").read_bytes() == base.read_bytes()


def test_a_nameless_model_is_given_a_name(tmp_path: Path) -> None:
    plain = tmp_path / "plain.gguf"
    writer = gguf.GGUFWriter(plain, "qwen2")
    writer.add_tensor("x", np.ones(3, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    rewrite(open_parts(plain), tmp_path / "named.gguf", "mine", lambda *_: None)
    named = gguf.GGUFReader(tmp_path / "named.gguf")
    assert named.fields["general.name"].contents() == "mine"
    np.testing.assert_array_equal(named.tensors[0].data, np.ones(3))


def test_weights_that_leave_the_range_of_their_type_are_refused(tmp_path: Path) -> None:
    base = write_wide(tmp_path / "base.gguf", "F16")
    huge = {module: (1000 * lora_a, 2000 * lora_b) for module, (lora_a, lora_b) in adapter().pairs.items()}
    with pytest.raises(BadValues, match="no numbers that F16 holds"):
        write_merged(tmp_path / "out.gguf", OpenBase(base), replace(adapter(), pairs=huge), 1.0, NAME)
    assert not (tmp_path / "out.gguf").exists()


def test_what_cannot_be_merged_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = write_wide(tmp_path / "base.gguf", "F16")
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "merged.gguf"
    with pytest.raises(BadAdapter):
        write_merged(out, OpenBase(base), replace(adapter(), architecture="qwen3"), 1.0, NAME)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shammah_convert.merge.pack", fail)
    with pytest.raises(OSError, match="No space left"):
        write_merged(out, OpenBase(base), adapter(), 1.0, NAME)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["IQ2_XXS", "IQ2_XS", "IQ1_S", "I32", "Q8_K"])
def test_a_type_that_ggml_would_abort_at_is_refused_first(kind: str) -> None:
    with pytest.raises(BadBase, match=kind):
        ggml.check_packs(gguf.GGMLQuantizationType[kind])
