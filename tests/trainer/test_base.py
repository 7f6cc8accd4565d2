"""The trainer's model is the served file: llama.cpp's logits and llama.cpp's token ids."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shammah import general
from shammah.bases import SEEDLING
from shammah.gate import logit_tolerance
from shammah.local import LocalModel
from shammah_convert.base import About, write_base
from shammah_convert.chat import Message
from shammah_convert.job import Change, Report, Score
from shammah_convert.opened import OpenBase, size_label
from shammah_convert.shape import BadBase
from shammah_trainer.base import Base, open_base
from shammah_trainer.evaluate import TOP_LOGITS
from tests.job_folders import example
from tests.qwens import DEFINED, KINDS, LAYERS, Kind, vocabulary
from tests.splits import split

# llama.cpp keeps keys and values in float16, and rounds what it multiplies matrices in F16 or Q8_0 with to the like.
# Measured on 40 rows of each kind: 0.02 and 0.21 at most. The logits have a standard deviation of 1.6.
TOLERANCES = {"F32": 0.02, "F16": 0.04, "Q8_0": 0.3}
LEAST_SPREAD = 1.0
# Q8_0 through six layers: 0.14 in the median of 288 prompts, 0.85 at most. The logits' standard deviation is 2.4.
SEEDLING_TOLERANCE = 1.0
QUESTIONS = ("how do i list hidden files", "who won the cup in 1954?", "undo my last commit")
TEXTS = (
    "list all the files, please",
    "It's 1234567 o'clock;  we'll see,\n\n  what's NEW?\ttabs \r\n and\r\r returns   ",
    "na\u00efve caf\u00e9 \u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8",
    "\u0645\u0631\u062d\u0628\u0627 \u043f\u0440\u0438\u0432\u0435\u0442",
    "\u05e9\u05c1\u05b8 \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 \u00a0 \u2028 \ufeff \u0000 \x7f",
    "\u0661\u0662\u0663 \u2167 \u00bd x\u00b2 \uff11\uff12",
    "for f in *.txt; do mv -- \"$f\" '${f%.txt}.md'; done  # I'd'VE",
    "def f(x):\n    return {'a': [x**2, -1e-9]}\n\n\nclass A:\n\tpass",
    "<|im_end|> typed by hand <|im_start|>system\n<|endoftext|>",
    "<|im_end|<|im_end|>>",
    "a<think>b</think> <think><think>\n</think <tool_call>{}</tool_call>",
    " ",
    "\n",
    "",
)
CONVERSATION = (
    Message("system", "Be short."),
    Message("user", "list files <|im_end|> <think>"),
    Message("assistant", "ls"),
    Message("user", "It's 42,\n\n  why?"),
)


@dataclass(frozen=True)
class Pair:
    """One file, open on both sides."""

    kind: Kind
    base: Base
    served: LocalModel


@pytest.fixture(scope="module", params=KINDS, ids=str)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    kind: Kind = request.param
    path = kind.write(tmp_path_factory.mktemp("base") / "base.gguf")
    with LocalModel(path, gpu_layers=0) as served:
        yield Pair(kind, open_base(path), served)


@pytest.fixture(scope="module")
def seedling() -> Iterator[Pair]:
    with LocalModel(SEEDLING, gpu_layers=0) as served:
        yield Pair(Kind(), open_base(SEEDLING), served)


def torch_logits(base: Base, tokens: list[int]) -> NDArray[np.float32]:
    with torch.no_grad():
        found: NDArray[np.float32] = base.model(input_ids=torch.tensor([tokens])).logits[0, -1].numpy()
    return found


def random_rows(rows: int, count: int = 6) -> Iterator[list[int]]:
    random = np.random.default_rng(5)
    for length in random.integers(1, 200, count):
        yield random.integers(0, rows, length).tolist()


def test_the_logits_equal_llama_cpps(pair: Pair) -> None:
    for tokens in random_rows(pair.kind.rows):
        ours, theirs = torch_logits(pair.base, tokens), pair.served.logits(tokens)
        assert theirs.std() > LEAST_SPREAD, "else everything would be near"
        assert np.abs(ours - theirs).max() < TOLERANCES[pair.kind.quantization]


def test_the_unpacked_seedlings_logits_equal_llama_cpps(seedling: Pair, tmp_path: Path) -> None:
    file = OpenBase(SEEDLING)
    weights = {name: file.tensor(name) for name in file.names()}
    about = About("unpacked", "apache-2.0")
    write_base(tmp_path / "f32.gguf", file.config, weights, file.vocabulary(), about, "F32")
    with LocalModel(tmp_path / "f32.gguf", gpu_layers=0) as unpacked:
        for question in QUESTIONS:
            tokens = unpacked.prompt_tokens([Message("user", question)])
            ours, theirs = torch_logits(seedling.base, tokens), unpacked.logits(tokens)
            assert theirs.std() > LEAST_SPREAD
            assert np.abs(ours - theirs).max() < TOLERANCES["F32"]


def test_the_served_seedlings_logits_are_near(seedling: Pair) -> None:
    for question in QUESTIONS:
        tokens = seedling.served.prompt_tokens([Message("user", question)])
        ours, theirs = torch_logits(seedling.base, tokens), seedling.served.logits(tokens)
        assert np.abs(ours - theirs).max() < SEEDLING_TOLERANCE
        assert ours.argmax() == theirs.argmax()


def test_the_gate_tolerates_how_llama_cpp_rounds(seedling: Pair) -> None:
    """A training ends with this comparison, of as many logits of as many prompts."""
    nothing = Change(Score(), Score())
    allowed = logit_tolerance(Report(nothing, nothing, 0, 0, 0.0, "", (), seedling.base.tensor_types))
    for question in general.prompts("general"):
        tokens = seedling.served.prompt_tokens([Message("user", question)])
        ours, theirs = torch_logits(seedling.base, tokens), seedling.served.logits(tokens)
        likeliest = ours.argsort()[-TOP_LOGITS:]
        assert np.sqrt(np.square(ours - theirs)[likeliest].mean()) < allowed


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_the_token_ids_equal_llama_cpps(pair: Pair, text: str) -> None:
    assert pair.base.encoder.tokens([text]) == pair.served.weights.tokenize(text)


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_the_seedlings_token_ids_equal_llama_cpps(seedling: Pair, text: str) -> None:
    assert seedling.base.encoder.tokens([text]) == seedling.served.weights.tokenize(text)


def test_the_token_ids_of_random_text_equal_llama_cpps(pair: Pair) -> None:
    random = np.random.default_rng(11)
    pieces = [*"aZ09 \n\t'.,;-_$<>|\u00e9\u65e5\u0663\U0001f600", "'s", "\r\n", "  ", "ls", *DEFINED, "<|im_end|>"]
    for _ in range(200):
        text = "".join(pieces[place] for place in random.integers(0, len(pieces), 30))
        assert pair.base.encoder.tokens([text]) == pair.served.weights.tokenize(text), text


def test_a_whole_prompt_equals_the_runtimes(pair: Pair) -> None:
    row = pair.base.encoder.row(example("1", *CONVERSATION))
    assert list(row.tokens[: row.prompt_tokens]) == pair.served.prompt_tokens(CONVERSATION)


def test_a_defined_mark_is_one_token_wherever_it_is_typed(tmp_path: Path) -> None:
    kind = Kind("qwen3")
    base = open_base(kind.write(tmp_path / "base.gguf"))
    mark = vocabulary("qwen3").tokens.index("<think>")
    assert base.encoder.tokens(["a<think>b<think>"]).count(mark) == 2


def test_a_mark_that_llama_cpp_takes_for_a_control_is_text_when_it_is_typed(tmp_path: Path) -> None:
    """Qwen2.5's tokenizer.json calls this one no special token; llama.cpp overrides that by its name."""
    mark, kind = "<|fim_prefix|>", Kind()
    known = replace(vocabulary(), tokens=(*vocabulary().tokens, mark), defined=frozenset({mark}))
    write_base(tmp_path / "base.gguf", kind.config, kind.weights(), known, About("x", "apache-2.0"), "F16")
    with LocalModel(tmp_path / "base.gguf", gpu_layers=0) as served:
        assert open_base(tmp_path / "base.gguf").encoder.tokens([mark]) == served.weights.tokenize(mark)


def test_the_model_is_frozen_and_in_float32(pair: Pair) -> None:
    weights = list(pair.base.model.parameters())
    assert {(weight.dtype, weight.requires_grad, weight.device.type) for weight in weights} == {
        (torch.float32, False, "cpu")
    }
    assert not pair.base.model.training


def test_tied_weights_are_held_once(pair: Pair) -> None:
    model: Any = pair.base.model
    is_shared = model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert is_shared is pair.kind.is_tied


def test_it_says_what_was_opened(pair: Pair) -> None:
    base = pair.base
    assert (base.name, base.size_label) == (pair.served.facts.name, size_label(pair.served.facts.parameters))
    assert set(base.tensor_types) == {"F32", pair.kind.quantization}
    assert vocabulary(pair.kind.architecture).tokens[base.padding] == "<|endoftext|>"


def test_a_file_of_other_tensors_is_refused(tmp_path: Path) -> None:
    path = Kind().write(tmp_path / "base.gguf")
    data = path.read_bytes()
    key = b"qwen2.block_count"
    place = data.index(key) + len(key) + 4  # behind the key stands the type of its value
    path.write_bytes(data[:place] + (LAYERS + 1).to_bytes(4, "little") + data[place + 4 :])
    with pytest.raises(BadBase, match=r"lacks blk\.2\."):
        open_base(path)


def test_a_split_model_is_trained_whole(tmp_path: Path) -> None:
    whole = Kind().write(tmp_path / "whole.gguf")
    one, many = open_base(whole), open_base(split(whole, 3)[0])
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert torch.equal(many.model(tokens).logits, one.model(tokens).logits)
