"""A tiny random Qwen, converted, is the same model in llama.cpp as in transformers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from models.seedling import tokenizer as bpe
from models.seedling.phrasings import Intent
from shammah.local import LocalModel
from shammah_convert.base import About
from shammah_convert.chat import Message
from shammah_convert.folder import read_folder, write_model
from shammah_convert.shape import BadBase
from shammah_convert.vocabulary import QWEN2_SPLIT, Vocabulary
from shammah_trainer.dataset import Encoder

ABOUT = About("tiny", "apache-2.0", description="random", extra={"shammah.answer": 42, "shammah.kind": "test"})
TEXTS = (
    "list all files, please",
    "It's 1234 o'clock:\n\n  what's NEW?\ttabs",
    "na\u00efve caf\u00e9 \u65e5\u672c\u8a9e \U0001f600",
    "find . -name '*.txt' | xargs rm -f",
    "<|im_end|> typed by hand",
)
# llama.cpp keeps keys and values in float16; the logits here have a standard deviation of about 2.
F32_TOLERANCE = 5e-3


@pytest.fixture(scope="module", params=["qwen2", "qwen3"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a random model."""
    path = tmp_path_factory.mktemp(request.param)
    tokenizer = bpe.train([Intent("x", "x", "ls -la\nLists files.", (), TEXTS)], ["list", "files"], 400)
    tokenizer.save(str(path / "tokenizer.json"))
    _random_model(request.param, tokenizer.get_vocab_size() + 5).save_pretrained(path)
    return path


def convert(folder: Path, path: Path, about: About, quantization: Any = "Q8_0") -> None:
    write_model(path, replace(read_folder(folder), about=about), quantization)


def test_the_logits_equal_transformers(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "tiny.gguf", ABOUT, "F32")
    tokens = [1, 260, 17, 300, 45, 2, 99]
    with LocalModel(tmp_path / "tiny.gguf") as model:
        ours = model.logits(tokens)
    theirs = _reference(folder, tokens)
    assert theirs.std() > 0.1  # else everything would be near
    assert np.abs(ours - theirs).max() < F32_TOLERANCE


@pytest.mark.parametrize("quantization", ["F16", "BF16", "Q8_0"])
def test_a_smaller_file_chooses_nearly_alike(folder: Path, tmp_path: Path, quantization: Any) -> None:
    convert(folder, tmp_path / "tiny.gguf", ABOUT, quantization)
    tokens = [1, 260, 17, 300, 45, 2, 99]
    with LocalModel(tmp_path / "tiny.gguf") as model:
        ours = model.logits(tokens)
    assert np.corrcoef(ours, _reference(folder, tokens))[0, 1] > 0.999


def test_the_token_ids_equal_hugging_faces(folder: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    convert(folder, tmp_path / "tiny.gguf", ABOUT)
    encoder = Encoder(Tokenizer.from_file(str(folder / "tokenizer.json")))
    with LocalModel(tmp_path / "tiny.gguf") as model:
        ours = [model.weights.tokenize(text) for text in TEXTS]
    assert ours == [encoder.tokens([text]) for text in TEXTS]


def test_the_file_says_what_it_is(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "tiny.gguf", ABOUT)
    fields = gguf.GGUFReader(tmp_path / "tiny.gguf").fields
    said = {key: fields[key].contents() for key in fields}
    expected = {
        "general.name": "tiny",
        "general.license": "apache-2.0",
        "tokenizer.ggml.pre": "qwen2",
        "shammah.answer": 42,
        "shammah.kind": "test",
    }
    assert {key: said[key] for key in expected} == expected
    assert said["tokenizer.ggml.tokens"][said["tokenizer.ggml.eos_token_id"]] == "<|im_end|>"


def test_the_template_asks_for_neither_a_system_message_nor_thinking(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "tiny.gguf", ABOUT)
    with LocalModel(tmp_path / "tiny.gguf") as model:
        tokens = model.prompt_tokens([Message("user", "x")])
        assert "".join(model.weights.spell(token).decode() for token in tokens) == "user\nx\nassistant\n"


def test_only_the_finished_file_is_left(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "tiny.gguf", ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.gguf"]


def test_a_missing_tensor_leaves_the_old_file(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("tokenizer.json", "model.safetensors"):
        (broken / name).write_bytes((folder / name).read_bytes())
    (broken / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    (tmp_path / "tiny.gguf").write_bytes(b"old")
    with pytest.raises(BadBase, match=r"layers\.2"):
        convert(broken, tmp_path / "tiny.gguf", ABOUT)
    assert (tmp_path / "tiny.gguf").read_bytes() == b"old"


SPLIT = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": QWEN2_SPLIT}}]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": {"type": "BPE", "vocab": {"a": 0, "b": 2}, "merges": []}}, "holes"),
        ({"model": {"type": "Unigram"}}, "is Unigram, not BPE"),
        ({"pre_tokenizer": None}, r"splits text by \[\], not as Qwen2 does"),
        ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x"}}}, r"\['x'\], not as Qwen2"),
        ({}, r"lacks <\|endoftext\|>, <\|im_end\|>: it does not speak ChatML"),
        ({"model": {}}, "cannot be read: KeyError"),
        ({"model": None}, "cannot be read: TypeError"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(change: dict[str, Any], words: str) -> None:
    sound = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, "pre_tokenizer": SPLIT}
    with pytest.raises(BadBase, match=words):
        Vocabulary.from_tokenizer_json(json.dumps(sound | change))


def test_what_is_no_json_is_no_tokenizer() -> None:
    with pytest.raises(BadBase, match="cannot be read"):
        Vocabulary.from_tokenizer_json("{")


def _random_model(architecture: str, tokens: int) -> Any:
    torch.manual_seed(7)
    shape = {
        "vocab_size": tokens,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,
    }
    if architecture == "qwen2":
        model = Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True))
    else:
        model = Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=32, tie_word_embeddings=False))
    for parameter in model.parameters():
        if parameter.ndim == 1:  # norms and biases too should matter
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def _reference(folder: Path, tokens: list[int]) -> np.ndarray[Any, Any]:
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    model: Any = {"qwen2": Qwen2ForCausalLM, "qwen3": Qwen3ForCausalLM}[kind].from_pretrained(folder)
    with torch.no_grad():
        return np.asarray(model.float()(torch.tensor([tokens])).logits[0, -1].numpy())
