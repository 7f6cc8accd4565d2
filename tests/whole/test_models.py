"""`shammah models convert` as its users type it, on tiny random Qwens that transformers saved."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from models.seedling import tokenizer as bpe
from models.seedling.phrasings import Intent
from shammah import conversion, locks
from shammah.errors import BadModel, DiskTooSmall
from shammah.local import LocalModel
from shammah_convert.base import CHAT_TEMPLATE
from shammah_convert.folder import read_folder
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BadBase
from tests.whole.command import Home

PROMPTS = [[token, token + 1, token + 2] for token in range(20, 60, 4)]
TEMPLATE = "{% for message in messages %}...{% endfor %}"
CARD = "---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\nlicense: none\n"
# Root mean square differences of logits whose standard deviation is 1.71. Measured on both architectures:
# 0.0012, 0.0018, 0.010, 0.055, 0.15 and 0.49 at most.
TOLERANCES = {"F32": 0.004, "F16": 0.005, "BF16": 0.03, "Q8_0": 0.12, "Q6_K": 0.3, "Q4_K_M": 0.9}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def save(folder: Path, architecture: str, kind: torch.dtype, shard: str = "1GB") -> Path:
    """A random model, as transformers saves it."""
    tokenizer = bpe.train([Intent("x", "x", "ls -la\nLists files.", (), ("list files",))], ["list", "files"], 300)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "README.md").write_text(CARD)
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    model = _random(architecture, tokenizer.get_vocab_size() + 5)
    model.to(kind).save_pretrained(folder, max_shard_size=shard)
    return folder


def _random(architecture: str, tokens: int) -> PreTrainedModel:
    torch.manual_seed(7)
    shape = {
        "vocab_size": tokens,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.1,
    }
    if architecture == "qwen2":
        model: PreTrainedModel = Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True))
    else:
        model = Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=64, tie_word_embeddings=False))
    for parameter in model.parameters():
        if parameter.ndim == 1:  # norms and biases too should matter
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


@pytest.fixture(scope="module", params=["qwen2", "qwen3"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sharded folder in BF16, as real Qwens are."""
    path = save(tmp_path_factory.mktemp(request.param) / "tiny", request.param, torch.bfloat16, "500KB")
    assert (path / "model.safetensors.index.json").is_file()
    assert len(list(path.glob("*.safetensors"))) > 1
    return path


def reference(folder: Path) -> NDArray[np.float32]:
    """The logits of transformers."""
    architecture = json.loads((folder / "config.json").read_text())["model_type"]
    kind: Any = {"qwen2": Qwen2ForCausalLM, "qwen3": Qwen3ForCausalLM}[architecture]
    with torch.no_grad():
        return np.asarray(kind.from_pretrained(folder).float()(torch.tensor(PROMPTS)).logits[:, -1])


def native(path: Path) -> NDArray[np.float32]:
    with LocalModel(path, gpu_layers=0) as model:
        return np.stack([model.logits(tokens) for tokens in PROMPTS])


@pytest.mark.parametrize("kind", TOLERANCES)
def test_llama_cpp_says_what_transformers_says(folder: Path, tmp_path: Path, kind: str) -> None:
    conversion.convert(folder, tmp_path / "out.gguf", kind, lambda _: None)
    theirs = reference(folder)
    assert theirs.std() > 1
    assert (native(tmp_path / "out.gguf") - theirs).std() < TOLERANCES[kind]
    types = OpenBase(tmp_path / "out.gguf").tensor_types
    assert any(kind.startswith(stored) for stored in types if stored != "F32") or kind == "F32", types
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"], "nothing else is left"


def test_the_command_says_what_it_does_and_the_file_answers(home: Home, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    done = home.run("models", "convert", str(folder), str(out), "--type", "q4_k_m")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["Converting", "Quantizing", str(out)]
    assert home.ask("--local", "--max-tokens", "4", "--model", str(out), "hello")["answer"]
    again = home.run("models", "convert", str(folder), str(out))
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    before = out.read_bytes()
    assert home.run("models", "convert", str(folder), str(out), "--type", "Q8_0", "--force").returncode == 0
    assert out.read_bytes() != before


def test_name_licence_and_chat_template_go_with_it(folder: Path, tmp_path: Path) -> None:
    about = read_folder(folder).about
    assert (about.name, about.license, about.chat_template) == ("tiny", "apache-2.0", TEMPLATE)
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "chat_template.jinja").write_text("newer")
    assert read_folder(copy).about.chat_template == "newer"
    for settings, template in (
        ({"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]}, "d"),
        ({"chat_template": None}, CHAT_TEMPLATE),
    ):
        (copy / "chat_template.jinja").unlink(missing_ok=True)
        (copy / "tokenizer_config.json").write_text(json.dumps(settings))
        assert read_folder(copy).about.chat_template == template


@pytest.mark.parametrize(("kind", "name"), [(torch.float32, "F32"), (torch.float16, "F16"), (torch.bfloat16, "BF16")])
def test_what_comes_between_loses_nothing(tmp_path: Path, kind: torch.dtype, name: str) -> None:
    assert read_folder(save(tmp_path / "model", "qwen2", kind)).stored_as == name


def test_a_type_that_is_none_is_answered_with_all_of_them(home: Home, folder: Path, tmp_path: Path) -> None:
    done = home.run("models", "convert", str(folder), str(tmp_path / "out.gguf"), "--type", "Q4")
    assert (done.returncode, "there is no type 'Q4'" in done.stderr) == (2, True)
    assert "Q4_K_M" in done.stderr
    assert "BF16" in done.stderr


def test_too_small_a_disk_is_told_before_anything_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = read_folder(folder).weights.parameters
    needed = conversion.needed_bytes(read_folder(folder), "Q4_K_M")
    assert needed == int(parameters * (2 + 34 / 32)), "BF16 and at most Q8_0"
    assert conversion.needed_bytes(read_folder(folder), "F32") == 4 * parameters
    usage = shutil.disk_usage(tmp_path)._replace(free=needed - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskTooSmall, match="GB are free"):
        conversion.convert(folder, tmp_path / "out.gguf", "Q4_K_M", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_no_quantized_file_is_larger_than_was_said(folder: Path, tmp_path: Path) -> None:
    model = read_folder(folder)
    conversion.convert(folder, tmp_path / "out.gguf", "Q8_0", lambda _: None)
    header = 50_000  # of some 300 tokens
    most = conversion.needed_bytes(model, "Q8_0") - 2 * model.weights.parameters
    assert (tmp_path / "out.gguf").stat().st_size < most + header


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("config.json", None, "config.json cannot be read"),
        ("config.json", "[]", "config.json holds no object"),
        ("config.json", '{"model_type": "llama"}', "'llama', not qwen2 or qwen3"),
        ("tokenizer.json", None, "tokenizer.json cannot be read"),
        ("model.safetensors.index.json", "{}", "has no weight_map"),
        ("model.safetensors.index.json", '{"weight_map": {"x": "gone.safetensors"}}', "gone.safetensors is missing"),
        ("model.safetensors.index.json", '{"weight_map": {"x": "../a.safetensors"}}', "a.safetensors is missing"),
        ("model.safetensors.index.json", None, "model.safetensors cannot be read"),
    ],
)
def test_a_folder_with_a_gap_is_refused_by_name(
    folder: Path, tmp_path: Path, file: str, text: str | None, words: str
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / file).unlink()
    if text is not None:
        (copy / file).write_text(text)
    with pytest.raises(BadBase, match=words):
        read_folder(copy)


def test_scaled_positions_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings = json.loads((copy / "config.json").read_text())
    for change in ({"rope_scaling": {"type": "yarn"}}, {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}):
        (copy / "config.json").write_text(json.dumps(settings | change))
        with pytest.raises(BadBase, match=r"scaled \(yarn\)"):
            read_folder(copy)


def test_a_broken_folder_leaves_nothing_and_keeps_the_old_file(home: Home, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(settings | {"intermediate_size": 511}))
    (tmp_path / "out.gguf").write_text("old")
    done = home.run("models", "convert", str(copy), str(tmp_path / "out.gguf"), "--force")
    assert (done.returncode, "is of shape (512, 256), not (511, 256)" in done.stderr) == (3, True), done.stderr
    assert (tmp_path / "out.gguf").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "out.gguf"]


def test_what_a_killed_conversion_left_goes_with_the_next_and_one_under_way_is_let_alone(
    folder: Path, tmp_path: Path
) -> None:
    left, others = tmp_path / ".out.gguf.killed", tmp_path / ".out.gguf.working"
    for work in (left, others):
        work.mkdir()
        (work / "plain.gguf").write_bytes(bytes(1000))
        (work / conversion.LOCK).touch()
    with locks.only_one(others / conversion.LOCK):
        conversion.convert(folder, tmp_path / "out.gguf", "BF16", lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [others.name, "out.gguf"]


def test_what_llama_cpp_cannot_run_is_not_published(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    for path in copy.glob("*.safetensors"):
        data = bytearray(path.read_bytes())
        data[-4000:] = b"\xff\x7f" * 2000  # NaN in BF16
        path.write_bytes(data)
    with pytest.raises(BadModel, match="not finite"):
        conversion.convert(copy, tmp_path / "out.gguf", "BF16", lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_place_that_is_none_is_refused(home: Home, folder: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ((str(tmp_path / "absent"), "x.gguf"), "is no folder"),
        ((str(folder), str(tmp_path / "absent" / "x.gguf")), "there is no folder"),
        ((str(folder), str(tmp_path)), "is there already"),
    ):
        done = home.run("models", "convert", *arguments)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
