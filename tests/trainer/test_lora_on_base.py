"""An adapter does in torch what it does in llama.cpp, alone and beside others, and nothing before it is trained."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import PeftModel

from shammah.local import LocalModel
from shammah_convert.job import AdapterFile
from shammah_convert.lora import TARGETS, Adapter, Card, WrongBase, read_lora, write_lora
from shammah_convert.shape import shape_of
from shammah_trainer import lora
from shammah_trainer.base import open_base
from shammah_trainer.losses import next_logits
from tests.qwens import KINDS, LAYERS, Kind

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

RANK, ALPHA = 4, 8.0
# Measured with adapters on six bases of each kind: 0.012 and 0.17 at most, while they moved the logits by 4.4 at least.
TOLERANCES = {"F16": 0.04, "Q8_0": 0.3}
MOVED = 3.0
"""By at least so much some logit changes, or the comparisons would say little."""

TOKENS = [1, 260, 17, 300, 45, 2, 99, 200, 7]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def path(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kind.write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture
def model(path: Path) -> PeftModel:
    torch.manual_seed(3)
    return lora.attach(open_base(path).model, RANK, ALPHA)


def logits(model: PeftModel) -> NDArray[np.float32]:
    found: NDArray[np.float32] = next_logits(model, torch.tensor(TOKENS)).numpy()
    return found


def trained(model: PeftModel) -> PeftModel:
    """As if the adapter had been trained: lora_b is zero no more."""
    for parameter in lora.parameters(model):
        torch.nn.init.normal_(parameter, 0, 0.15)
    return model


def served_logits(path: Path, adapters: Sequence[AdapterFile]) -> NDArray[np.float32]:
    with LocalModel(path, gpu_layers=0) as served:
        served.apply(adapters)
        return served.logits(TOKENS)


def modules() -> list[str]:
    parts = {name: "mlp" if name in ("gate_proj", "up_proj", "down_proj") else "self_attn" for name in TARGETS}
    return [f"model.layers.{layer}.{parts[name]}.{name}" for layer in range(LAYERS) for name in TARGETS]


def written(file: Path, kind: Kind, ranks: dict[str, int], scale: float = 1.0, seed: int = 0) -> AdapterFile:
    """A random adapter with a rank of its own for each module."""
    random = np.random.default_rng(seed)
    pairs = {}
    for module, rank in ranks.items():
        out, inner = shape_of(kind.config, f"{module}.weight", kind.rows)
        pairs[module] = (
            random.normal(0, 0.15, (rank, inner)).astype(np.float32),
            random.normal(0, 0.15, (out, rank)).astype(np.float32),
        )
    write_lora(file, Adapter(Card(file.stem, "x", "ab" * 32), kind.architecture, ALPHA, pairs), kind.config)
    return AdapterFile(file.stem, str(file), "", scale)


def test_a_fresh_adapter_changes_nothing(path: Path) -> None:
    base = open_base(path).model
    with torch.no_grad():
        plain = base(input_ids=torch.tensor([TOKENS])).logits[0, -1].numpy()
    np.testing.assert_allclose(logits(lora.attach(base, RANK, ALPHA)), plain, atol=1e-5)


def test_only_the_adapter_is_trained(model: PeftModel) -> None:
    named = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(named) == len(lora.parameters(model)) == 2 * len(modules())
    assert all(".lora_" in name for name in named)


def test_every_projection_has_a_pair_of_its_shape(model: PeftModel, kind: Kind) -> None:
    pairs = lora.pairs(model)
    assert sorted(pairs) == sorted(modules())
    for module, (lora_a, lora_b) in pairs.items():
        out, inner = shape_of(kind.config, f"{module}.weight", kind.rows)
        assert (lora_a.shape, lora_b.shape) == ((RANK, inner), (out, RANK)), module
        assert lora_a.dtype == lora_b.dtype == np.float32


def test_llama_cpp_says_the_same_with_the_written_adapter(
    model: PeftModel, kind: Kind, path: Path, tmp_path: Path
) -> None:
    ours = logits(trained(model))
    card = Card("mine", "x", "ab" * 32)
    write_lora(tmp_path / "a.gguf", Adapter(card, kind.architecture, ALPHA, lora.pairs(model)), kind.config)
    theirs = served_logits(path, [AdapterFile("mine", str(tmp_path / "a.gguf"), "")])
    assert np.abs(theirs - served_logits(path, [])).max() > MOVED
    assert np.abs(ours - theirs).max() < TOLERANCES[kind.quantization]


def test_active_adapters_say_what_they_say_in_llama_cpp(
    model: PeftModel, kind: Kind, path: Path, tmp_path: Path
) -> None:
    everywhere = dict.fromkeys(modules(), 3)
    uneven = {module: 1 + place % 5 for place, module in enumerate(modules()[3:9])}
    active = [
        written(tmp_path / "first.gguf", kind, everywhere, scale=0.75, seed=1),
        written(tmp_path / "second.gguf", kind, uneven, scale=1.5, seed=2),
    ]
    trained(model)
    names = lora.attach_active(model, active, kind.config)
    for used in ([0], [1], [0, 1]):
        with lora.using(model, [names[place] for place in used]):
            ours = logits(model)
        theirs = served_logits(path, [active[place] for place in used])
        assert np.abs(theirs - served_logits(path, [])).max() > MOVED
        assert np.abs(ours - theirs).max() < TOLERANCES[kind.quantization]


def test_without_names_the_base_is_bare_and_the_candidate_comes_back(model: PeftModel, path: Path) -> None:
    bare = logits(model)  # nothing is trained yet
    moved = logits(trained(model))
    before = lora.parameters(model)
    with lora.using(model, ()):
        np.testing.assert_array_equal(logits(model), bare)
    np.testing.assert_array_equal(logits(model), moved)
    assert np.abs(moved - bare).max() > MOVED
    assert [id(parameter) for parameter in lora.parameters(model)] == [id(parameter) for parameter in before]


def test_after_active_adapters_the_candidate_alone_runs_and_is_trained(
    model: PeftModel, kind: Kind, tmp_path: Path
) -> None:
    moved, before = logits(trained(model)), lora.parameters(model)
    file = written(tmp_path / "first.gguf", kind, dict.fromkeys(modules(), 2))
    names = lora.attach_active(model, [file], kind.config)
    np.testing.assert_array_equal(logits(model), moved)
    with lora.using(model, names):
        assert not np.array_equal(logits(model), moved)
    np.testing.assert_array_equal(logits(model), moved)
    assert [id(parameter) for parameter in lora.parameters(model)] == [id(parameter) for parameter in before]


def test_the_candidates_file_holds_the_candidate_alone(model: PeftModel, kind: Kind, tmp_path: Path) -> None:
    trained(model)
    before = lora.pairs(model)
    lora.attach_active(model, [written(tmp_path / "first.gguf", kind, dict.fromkeys(modules(), 2))], kind.config)
    after = lora.pairs(model)
    assert after.keys() == before.keys()
    for module, pair in before.items():
        for mine, theirs in zip(pair, after[module], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_what_is_written_can_be_active_next_time(model: PeftModel, kind: Kind, path: Path, tmp_path: Path) -> None:
    lora.round_off(trained(model))
    moved = logits(model)
    card = Card("mine", "x", "ab" * 32)
    write_lora(tmp_path / "a.gguf", Adapter(card, kind.architecture, ALPHA, lora.pairs(model)), kind.config)
    assert read_lora(tmp_path / "a.gguf", kind.config).card.name == "mine"
    again = lora.attach(open_base(path).model, rank=2, alpha=4.0)
    names = lora.attach_active(again, [AdapterFile("mine", str(tmp_path / "a.gguf"), "")], kind.config)
    with lora.using(again, names):
        np.testing.assert_allclose(logits(again), moved, atol=1e-4)


def test_an_active_adapter_of_another_base_is_refused(model: PeftModel, kind: Kind, tmp_path: Path) -> None:
    other = replace(kind, architecture="qwen3" if kind.architecture == "qwen2" else "qwen2")
    file = written(tmp_path / "a.gguf", other, {"model.layers.0.mlp.up_proj": 2})
    with pytest.raises(WrongBase, match=other.architecture):
        lora.attach_active(model, [file], kind.config)


def test_rounded_off_it_is_what_its_file_keeps(model: PeftModel, kind: Kind, tmp_path: Path) -> None:
    lora.round_off(trained(model))
    before = lora.pairs(model)
    card = Card("mine", "x", "ab" * 32)
    write_lora(tmp_path / "a.gguf", Adapter(card, kind.architecture, ALPHA, before), kind.config)
    for module, pair in read_lora(tmp_path / "a.gguf", kind.config).pairs.items():
        for kept, mine in zip(pair, before[module], strict=True):
            np.testing.assert_array_equal(kept, mine)


@pytest.mark.parametrize("rank", [RANK, 2 * RANK], ids=["as many ranks", "ranks to spare"])
def test_a_candidate_starts_as_what_is_active(path: Path, kind: Kind, tmp_path: Path, rank: int) -> None:
    ranks = dict.fromkeys(modules(), RANK // 2)
    files = [written(tmp_path / f"{seed}.gguf", kind, ranks, scale=0.5 + seed, seed=seed) for seed in range(2)]
    model = lora.attach(open_base(path).model, rank, ALPHA)
    names = lora.attach_active(model, files, kind.config)
    with lora.using(model, names), torch.no_grad():
        wanted = logits(model)
    bare = logits(model)
    lora.start_from(model, names)
    np.testing.assert_allclose(logits(model), wanted, atol=1e-3)
    assert np.abs(bare - wanted).max() > MOVED
    assert all(parameter.requires_grad for parameter in lora.parameters(model))
    assert all(np.abs(half).max() > 0 for pair in lora.pairs(model).values() for half in pair)


def test_with_too_few_ranks_it_starts_as_near_as_they_allow(path: Path, kind: Kind, tmp_path: Path) -> None:
    files = [written(tmp_path / "one.gguf", kind, dict.fromkeys(modules(), RANK))]
    pairs = read_lora(tmp_path / "one.gguf", kind.config).pairs
    whole = {module: lora_b @ lora_a * ALPHA / RANK for module, (lora_a, lora_b) in pairs.items()}
    gaps = []
    for rank in (1, RANK - 1, RANK):
        model = lora.attach(open_base(path).model, rank, ALPHA)
        lora.start_from(model, lora.attach_active(model, files, kind.config))
        near = {module: b @ a * ALPHA / rank for module, (a, b) in lora.pairs(model).items()}
        gaps.append(sum(float(np.square(whole[module] - near[module]).sum()) for module in whole))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] == pytest.approx(0, abs=1e-4)


def test_modules_that_nothing_active_changes_start_afresh(path: Path, kind: Kind, tmp_path: Path) -> None:
    first, *others = modules()
    model = lora.attach(open_base(path).model, RANK, ALPHA)
    fresh = lora.pairs(model)
    names = lora.attach_active(model, [written(tmp_path / "one.gguf", kind, {first: RANK})], kind.config)
    lora.start_from(model, names)
    for module in others:
        for was, now in zip(fresh[module], lora.pairs(model)[module], strict=True):
            np.testing.assert_array_equal(was, now)
