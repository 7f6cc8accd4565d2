"""Qwens that are on a machine are found where each tool keeps them, and no file there is touched."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from shammah import bases, found, model_names
from shammah.errors import ModelMissing, UsageError
from tests.splits import split
from tests.tiny import write_tiny


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, with nothing of the real one."""
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_tiny(path)


def put_in_hub(user: Path, repository: str, file: str, commit: str = "c0") -> Path:
    folder = user / ".cache" / "huggingface" / "hub" / f"models--{repository.replace('/', '--')}"
    return put(folder / "snapshots" / commit / file)


def put_in_ollama(user: Path, owner: str, name: str, tag: str, is_model: bool = True) -> Path:
    folder = user / ".ollama" / "models"
    draft = put(folder / "blobs" / "draft")
    blob = draft.rename(draft.with_name(f"sha256-{hashlib.sha256(draft.read_bytes() + name.encode()).hexdigest()}"))
    kind = found.OLLAMA_MODEL if is_model else "application/vnd.ollama.image.license"
    layers = [{"mediaType": kind, "digest": blob.name.replace("-", ":")}]
    manifest = folder / "manifests" / "registry.ollama.ai" / owner / name / tag
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"layers": layers}))
    return blob


def names() -> list[str]:
    return [model.name for model in found.all_models()]


def test_every_tool_is_looked_into(user: Path) -> None:
    put_in_hub(user, "Qwen/Qwen3-4B-GGUF", "Qwen3-4B-Q4_K_M.gguf")
    put_in_hub(user, "me/fine-GGUF", "fine-Q8_0.gguf")
    put(user / ".lmstudio" / "models" / "pub" / "repo" / "Qwen2.5-7B-Q4_K_M.gguf")
    put_in_ollama(user, "library", "qwen2.5", "0.5b")
    put_in_ollama(user, "me", "mine", "latest")
    put(user / ".cache" / "llama.cpp" / "qwen.gguf")
    assert names() == [
        "qwen3-4b",
        "hf:me/fine-GGUF:Q8_0",
        "lm-studio:Qwen2.5-7B-Q4_K_M",
        "ollama:qwen2.5:0.5b",
        "ollama:me/mine:latest",
        "llama.cpp:qwen",
    ]


def test_a_name_from_the_list_is_a_model_that_can_be_used(user: Path) -> None:
    blob = put_in_ollama(user, "library", "qwen2.5", "0.5b")
    official = put_in_hub(user, "Qwen/Qwen3-4B-GGUF", "Qwen3-4B-Q4_K_M.gguf")
    own = put_in_hub(user, "me/fine-GGUF", "fine-Q8_0.gguf")
    assert bases.resolve("ollama:qwen2.5:0.5b") == blob
    assert bases.resolve("qwen3-4b") == official
    assert bases.resolve("Qwen/Qwen3-4B-GGUF") == official
    for name in ("hf:me/fine-GGUF:Q8_0", "hf:me/fine-GGUF:q8_0", "hf:me/fine-GGUF"):
        assert bases.resolve(name) == own


def test_looking_changes_nothing(user: Path) -> None:
    blob = put_in_ollama(user, "library", "qwen2.5", "0.5b")
    for folder in (blob.parent, user / ".ollama" / "models"):
        folder.chmod(0o500)
    before = blob.stat()
    assert names() == ["ollama:qwen2.5:0.5b"]
    assert blob.stat().st_mtime_ns == before.st_mtime_ns


def test_what_is_no_whole_qwen_is_left_out(user: Path) -> None:
    put_in_ollama(user, "library", "words", "1", is_model=False)
    broken = user / ".ollama" / "models" / "manifests" / "registry.ollama.ai" / "library" / "broken"
    broken.mkdir(parents=True)
    (broken / "1").write_text("{")
    folder = user / ".cache" / "llama.cpp"
    cut = put(folder / "cut.gguf")
    os.truncate(cut, 100)
    (folder / "notes.gguf").write_text("no model")
    parts = split(put(folder / "whole.gguf"), 2)
    parts[1].unlink()
    assert names() == ["llama.cpp:whole"]


def test_a_split_model_is_one_with_the_size_of_all_its_parts(user: Path) -> None:
    whole = put(user / ".cache" / "llama.cpp" / "whole.gguf")
    parts = split(whole, 2, "two")
    whole.unlink()
    (model,) = found.all_models()
    assert (model.name, model.path) == ("llama.cpp:two", parts[0])
    assert model.size_bytes == sum(part.stat().st_size for part in parts)


def test_the_same_file_under_two_names_is_listed_once(user: Path) -> None:
    first = put(user / ".cache" / "llama.cpp" / "a.gguf")
    (first.parent / "b.gguf").symlink_to(first)
    assert names() == ["llama.cpp:a"]


def test_the_newest_snapshot_of_a_repository_is_taken(user: Path) -> None:
    old = put_in_hub(user, "me/fine-GGUF", "fine-Q8_0.gguf", "c0")
    new = put_in_hub(user, "me/fine-GGUF", "fine-Q8_0.gguf", "c1")
    os.utime(old.parent, (1, 1))
    assert bases.resolve("hf:me/fine-GGUF:Q8_0") == new


@pytest.mark.parametrize(
    ("file", "quantization"),
    [
        ("qwen2.5-7b-instruct-q4_k_m-00001-of-00002.gguf", "Q4_K_M"),
        ("Qwen3-0.6B-Q8_0.gguf", "Q8_0"),
        ("x.IQ4_XS.gguf", "IQ4_XS"),
        ("qwen2.5-7b-instruct-fp16.gguf", "F16"),
        ("model-BF16.gguf", "BF16"),
        ("qwen2.5-7b-instruct.gguf", ""),
    ],
)
def test_a_files_name_tells_its_quantization(file: str, quantization: str) -> None:
    assert found.quantization_of(file) == quantization


def test_a_mistyped_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no model 'qwen2\.5-15b'") as caught:
        model_names.wanted("qwen2.5-15b")
    assert "qwen2.5-1.5b" in caught.value.hint
    with pytest.raises(UsageError, match="names no file"):
        model_names.wanted("hf:no-owner")


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("qwen2.5-0.5b", "models pull qwen2.5-0.5b"),
        ("hf:me/gone:Q4_K_M", "models pull hf:me/gone:Q4_K_M"),
        ("ollama:qwen2.5:7b", "models list"),
    ],
)
def test_a_model_that_is_not_here_is_answered_with_the_next_step(user: Path, name: str, step: str) -> None:
    with pytest.raises(ModelMissing, match="is not on this machine") as caught:
        bases.resolve(name)
    assert f"shammah {step}" in caught.value.hint


def test_a_mistyped_model_beside_no_such_file_is_answered_with_the_nearest(user: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        bases.resolve("qwen2.5-15b")
    assert "qwen2.5-1.5b" in caught.value.hint


def test_a_file_goes_before_a_model_of_the_same_name(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(user)
    file = put(user / "qwen3-4b")
    assert bases.resolve("qwen3-4b") == file


def test_a_list_of_ollamas_that_leads_elsewhere_names_no_model(user: Path) -> None:
    put_in_ollama(user, "library", "qwen2.5", "0.5b")
    secret = put(user / "secret.gguf")
    manifest = user / ".ollama" / "models" / "manifests" / "registry.ollama.ai" / "library" / "evil" / "latest"
    manifest.parent.mkdir(parents=True)
    layers = [{"mediaType": found.OLLAMA_MODEL, "digest": f"../../../{secret.name}"}]
    manifest.write_text(json.dumps({"layers": layers}))
    assert names() == ["ollama:qwen2.5:0.5b"]
