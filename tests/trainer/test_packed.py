"""What is computed on packed blocks is what the unpacked model computes, and what llama.cpp does."""

import ctypes
import os
from pathlib import Path

import gguf
import llama_cpp as ll
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from bench.shapes import write_random
from shammah.local import LocalModel
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BaseConfig
from shammah_trainer import lora
from shammah_trainer.base import Compute, empty_model, open_base
from shammah_trainer.dataset import Batch, Row, collate
from shammah_trainer.layers import Norm, PackedHead, PackedLinear
from shammah_trainer.losses import tell
from shammah_trainer.packed import Packed, Workspace
from tests.convert.test_ggml import random_blocks

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

TYPES = {
    "F32": ll.LLAMA_FTYPE_ALL_F32,
    "F16": ll.LLAMA_FTYPE_MOSTLY_F16,
    "BF16": ll.LLAMA_FTYPE_MOSTLY_BF16,
    "Q4_0": ll.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_1": ll.LLAMA_FTYPE_MOSTLY_Q4_1,
    "Q5_0": ll.LLAMA_FTYPE_MOSTLY_Q5_0,
    "Q5_1": ll.LLAMA_FTYPE_MOSTLY_Q5_1,
    "Q8_0": ll.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q2_K": ll.LLAMA_FTYPE_MOSTLY_Q2_K,
    "Q3_K": ll.LLAMA_FTYPE_MOSTLY_Q3_K_M,
    "Q4_K": ll.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q5_K": ll.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q6_K": ll.LLAMA_FTYPE_MOSTLY_Q6_K,
    "IQ4_NL": ll.LLAMA_FTYPE_MOSTLY_IQ4_NL,
    "IQ4_XS": ll.LLAMA_FTYPE_MOSTLY_IQ4_XS,
}
SHAPE = BaseConfig("qwen2", 256, 512, 2, 4, 2, 64, 512, 1e6, 1e-6, is_tied=True)
VOCABULARY = 1024
# llama.cpp rounds activations to eight bits before a product with quantized weights, to float16 before one in F16, and
# keeps keys and values in float16. As shares of the logits' own spread; measured: 0.0007 to 0.0012, and 0.007 to 0.012.
TOLERANCES = {"F32": 0.004, "F16": 0.004, "BF16": 0.01}
QUANTIZED_TOLERANCE = 0.03
BFLOAT16_TOLERANCE = 0.05


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 in F16 whose rows are whole blocks of every type."""
    path = tmp_path_factory.mktemp("half") / "f16.gguf"
    write_random(path, SHAPE, "random", VOCABULARY)
    return path


@pytest.fixture(scope="module", params=TYPES)
def path(request: pytest.FixtureRequest, half: Path) -> Path:
    """The same in each type that the quantizer writes."""
    target = half.with_name(f"{request.param}.gguf")
    parameters = ll.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread, parameters.pure = TYPES[request.param], 1, True
    assert ll.llama_model_quantize(os.fsencode(half), os.fsencode(target), ctypes.byref(parameters)) == 0
    return target


def unpacked(path: Path) -> PreTrainedModel:
    """The file as everybody else trains it."""
    file = OpenBase(path)
    model = empty_model(file.config, file.rows)
    weights = {name: torch.from_numpy(file.tensor(name)) for name in file.names()}
    missing = model.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys
    assert set(missing.missing_keys) <= {"lm_head.weight"}
    model.tie_weights()
    return model.eval().requires_grad_(False)


def attached(model: PreTrainedModel, is_checkpointed: bool = False) -> PeftModel:
    """With an adapter that changes something, always the same."""
    torch.manual_seed(0)
    model = lora.attach(model, 4, 8.0, is_checkpointed)
    for parameter in lora.parameters(model):
        nn.init.normal_(parameter, 0, 0.02)
    return model


def batch() -> Batch:
    tokens = np.random.default_rng(2).integers(0, VOCABULARY, (2, 40)).tolist()
    return collate([Row(tuple(tokens[0]), 10), Row(tuple(tokens[1][:30]), 4)], padding=0)


def loss_and_gradients(model: PeftModel) -> tuple[float, list[Tensor]]:
    loss = tell(model, batch()).nats.mean()
    torch.autograd.backward(loss)
    return float(loss.detach()), [p.grad for p in lora.parameters(model) if p.grad is not None]


def reference(path: Path) -> tuple[float, list[Tensor]]:
    """Of the unpacked model, by torch's own cross entropy."""
    model, given = attached(unpacked(path)), batch()
    logits = model(input_ids=given.tokens, attention_mask=given.mask.long()).logits
    loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), given.labels[:, 1:].flatten())
    torch.autograd.backward(loss)
    return float(loss.detach()), [p.grad for p in lora.parameters(model) if p.grad is not None]


def distance(found: list[Tensor], wanted: list[Tensor]) -> float:
    """By the length of what is wanted."""
    ours, theirs = (torch.cat([part.flatten() for part in parts]) for parts in (found, wanted))
    return float((ours - theirs).norm() / theirs.norm())


def test_every_type_that_the_quantizer_writes_says_what_llama_cpp_says(path: Path) -> None:
    base, kind = open_base(path), path.stem
    assert kind in base.tensor_types
    tokens = np.random.default_rng(1).integers(0, VOCABULARY - 3, 60).tolist()
    with torch.no_grad():
        ours = base.model(input_ids=torch.tensor([tokens])).logits[0, -1].numpy()
    with LocalModel(path, gpu_layers=0) as served:
        theirs = served.logits(tokens)
    gap = np.sqrt(np.square(ours - theirs).mean()) / theirs.std()
    assert gap < TOLERANCES.get(kind, QUANTIZED_TOLERANCE)


def test_losses_and_gradients_of_every_type_are_those_of_the_unpacked_model(path: Path) -> None:
    loss, gradients = loss_and_gradients(attached(open_base(path).model))
    wanted, theirs = reference(path)
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert len(gradients) == len(theirs) == 2 * 7 * SHAPE.layers
    assert distance(gradients, theirs) < 1e-4


@pytest.mark.parametrize("is_checkpointed", [False, True], ids=["kept", "checkpointed"])
def test_bfloat16_and_checkpoints_move_losses_and_gradients_a_little(half: Path, is_checkpointed: bool) -> None:
    model = attached(open_base(half, Compute(torch.bfloat16)).model, is_checkpointed)
    loss, gradients = loss_and_gradients(model)
    wanted, theirs = reference(half)
    assert loss == pytest.approx(wanted, rel=2e-3)
    assert distance(gradients, theirs) < BFLOAT16_TOLERANCE
    assert all(gradient.dtype == torch.float32 for gradient in gradients)


def test_checkpoints_change_nothing_in_float32(half: Path) -> None:
    kept = loss_and_gradients(attached(open_base(half).model))
    again = loss_and_gradients(attached(open_base(half).model, is_checkpointed=True))
    assert kept[0] == again[0]
    assert distance(again[1], kept[1]) < 1e-6


def test_the_weights_stay_packed_and_mapped(half: Path) -> None:
    model = open_base(half).model
    held = sum(parameter.nbytes for parameter in model.parameters())
    assert held < half.stat().st_size / 100, "norms and biases alone are copied"
    file = OpenBase(half)
    linear = model.get_submodule("model.layers.0.mlp.up_proj")
    assert isinstance(linear, PackedLinear)
    assert linear.weight.dtype == torch.uint8
    assert linear.weight.nbytes == file.packed("model.layers.0.mlp.up_proj.weight")[0].nbytes


# The workspace.


def packed(rows: int = 8, seed: float = 1.0, kind: Type = Type.F16) -> Packed:
    values = (np.arange(rows * 32, dtype=np.float32).reshape(rows, 32) * seed).astype(np.float32)
    return Packed.of(gguf.quants.quantize(values, kind).view(np.uint8).reshape(rows, -1), kind)


def test_a_workspace_holds_the_last_matrices_that_fit() -> None:
    workspace = Workspace(2 * 8 * 32, torch.float32, torch.device("cpu"))
    one, two, three = packed(), packed(seed=2), packed(seed=3)
    first = workspace.matrix(one)
    assert workspace.matrix(two).data_ptr() != first.data_ptr()
    assert workspace.matrix(one).data_ptr() == first.data_ptr()
    assert workspace.matrix(three).data_ptr() == first.data_ptr(), "the oldest gave way"
    assert torch.equal(workspace.matrix(two), two.floats(torch.float32))
    assert torch.equal(workspace.matrix(one), one.floats(torch.float32)), "it is unpacked again"


def test_a_workspace_grows_for_a_larger_matrix() -> None:
    workspace = Workspace(32, torch.float32, torch.device("cpu"))
    small, large = packed(1), packed(64)
    workspace.matrix(small)
    assert torch.equal(workspace.matrix(large), large.floats(torch.float32))
    assert torch.equal(workspace.matrix(small), small.floats(torch.float32))


def test_a_workspace_that_gave_its_memory_back_takes_it_again_whole() -> None:
    workspace = Workspace(2 * 8 * 32, torch.float32, torch.device("cpu"))
    one, two = packed(), packed(seed=2)
    workspace.matrix(one)
    workspace.release()
    assert len(workspace._ring) == 0
    first = workspace.matrix(one)
    assert torch.equal(first, one.floats(torch.float32))
    assert torch.equal(workspace.matrix(two), two.floats(torch.float32))
    assert workspace.matrix(one).data_ptr() == first.data_ptr(), "there is room for both, as before"


def test_what_is_stored_in_the_dtype_of_products_is_not_copied() -> None:
    workspace = Workspace(32, torch.float32, torch.device("cpu"))
    plain = packed(kind=Type.F32)
    assert workspace.matrix(plain).data_ptr() == plain.data.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_several_threads_unpack_what_one_does(dtype: torch.dtype) -> None:
    blocks = random_blocks(Type.Q4_K, rows=640, columns=2048)
    large = Packed.of(blocks, Type.Q4_K)
    one, three = large.floats(dtype), large.floats(dtype, threads=3)
    assert torch.equal(one, three)
    assert torch.equal(one, large.floats(torch.float32).to(dtype)), "rounded once"


# The output layer and the norm.


@pytest.mark.parametrize("chunk", [32, 96, 10**6], ids=["a token", "three tokens", "all"])
def test_losses_over_chunks_are_torchs_cross_entropy(chunk: int) -> None:
    torch.manual_seed(0)
    matrix = packed(17, seed=0.01)
    head = PackedHead(matrix, Workspace(32, torch.float32, torch.device("cpu")), chunk)
    hidden = torch.randn(5, 32, requires_grad=True)
    wanted, shares = torch.tensor([0, 16, 3, 3, 9]), torch.rand(5)
    nats, likeliest = head.nats(hidden, wanted)
    logits = hidden @ matrix.floats(torch.float32).T
    torch.testing.assert_close(nats, functional.cross_entropy(logits, wanted, reduction="none"))
    assert torch.equal(likeliest, logits.argmax(-1))
    (ours,) = torch.autograd.grad(nats @ shares, hidden)
    (theirs,) = torch.autograd.grad(functional.cross_entropy(logits, wanted, reduction="none") @ shares, hidden)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(head(hidden), logits)


@pytest.mark.parametrize("chunk", [32, 10**6])
def test_divergences_over_chunks_are_torchs(chunk: int) -> None:
    torch.manual_seed(0)
    matrix = packed(17, seed=0.01)
    head = PackedHead(matrix, Workspace(32, torch.float32, torch.device("cpu")), chunk)
    base, moved = torch.randn(5, 32), torch.randn(5, 32)
    one, other = (functional.log_softmax(hidden @ matrix.floats(torch.float32).T, -1) for hidden in (base, moved))
    wanted = functional.kl_div(other, one, reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(head.divergence(base, moved), wanted, atol=1e-4, rtol=1e-4)


def test_the_norm_and_its_gradient_are_torchs() -> None:
    torch.manual_seed(0)
    weight, x = torch.rand(32), torch.randn(3, 4, 32, requires_grad=True)
    ours, theirs = Norm(weight, 1e-6)(x), functional.rms_norm(x, (32,), weight, 1e-6)
    torch.testing.assert_close(ours, theirs)
    pull = torch.randn_like(ours)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, pull)[0] for y in (ours, theirs)))
