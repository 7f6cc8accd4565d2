"""Which file of a repository is meant, and what a removal leaves."""

from pathlib import Path

import pytest

from shammah import hub, model_names, pulling
from shammah.errors import NotOnHub
from shammah.hub import RemoteFile


def files(*names: str) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile("me/fine-GGUF", "c0", name, 10, "0" * 64) for name in names)


TWO = ("x-q8_0-00001-of-00002.gguf", "x-q8_0-00002-of-00002.gguf")
ALL = files("README-Q2_K.gguf", "x-Q4_K_M.gguf", *TWO, "x-fp16.gguf")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("hf:me/fine-GGUF", ("x-Q4_K_M.gguf",)),
        ("hf:me/fine-GGUF:q4_k_m", ("x-Q4_K_M.gguf",)),
        ("hf:me/fine-GGUF:Q8_0", TWO),
        ("hf:me/fine-GGUF:F16", ("x-fp16.gguf",)),
    ],
)
def test_a_file_is_meant_by_its_quantization(name: str, meant: tuple[str, ...]) -> None:
    assert tuple(file.path for file in pulling.choose(model_names.wanted(name), ALL)) == meant


def test_the_only_file_is_meant_whatever_it_is_called() -> None:
    only = files("model.gguf")
    assert pulling.choose(model_names.wanted("hf:me/fine-GGUF"), only) == only
    assert pulling.choose(model_names.wanted("hf:me/fine-GGUF:model"), only) == only


@pytest.mark.parametrize(
    ("name", "there", "words", "hint"),
    [
        ("hf:me/fine-GGUF:Q6_K", ALL, "no GGUF Q6_K", "F16, Q2_K, Q4_K_M, Q8_0"),
        ("hf:me/fine-GGUF", files("a-Q8_0.gguf", "b-Q2_K.gguf"), "no GGUF that is the usual one", "Q2_K, Q8_0"),
        ("hf:me/fine-GGUF:Q8_0", files("a-Q8_0.gguf", "b-Q8_0.gguf"), "more than one", "Q8_0"),
        ("hf:me/fine-GGUF:Q8_0", files(TWO[0]), f"lacks {TWO[1]}", "another file"),
        ("hf:me/fine-GGUF", (), "no GGUF", "repository that holds GGUF"),
    ],
)
def test_what_is_not_clear_is_answered_with_what_there_is(
    name: str, there: tuple[RemoteFile, ...], words: str, hint: str
) -> None:
    with pytest.raises(NotOnHub, match=words) as caught:
        pulling.choose(model_names.wanted(name), there)
    assert hint in caught.value.hint


def test_an_official_file_that_was_renamed_is_found_by_its_quantization() -> None:
    renamed = files("qwen3-4b-v2-q4_k_m.gguf", "qwen3-4b-v2-q8_0.gguf")
    assert pulling.choose(model_names.wanted("qwen3-4b"), renamed) == renamed[:1]


def in_cache(cache: Path, commit: str, name: str, content: str) -> Path:
    """A file as the hub's cache keeps it."""
    folder = cache / "models--me--fine-GGUF"
    blob, path = folder / "blobs" / content, folder / "snapshots" / commit / name
    blob.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_text(content)
    path.symlink_to(blob)
    return path


def test_a_removed_file_takes_its_bytes_and_at_last_its_repositorys_folder_with_it(tmp_path: Path) -> None:
    first, second = in_cache(tmp_path, "c0", TWO[0], "first"), in_cache(tmp_path, "c0", TWO[1], "second")
    assert hub.forget(first) == len("first")
    assert second.read_text() == "second"
    assert hub.forget(second) == len("second")
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_another_snapshot_names_stay(tmp_path: Path) -> None:
    old, new = in_cache(tmp_path, "c0", "x.gguf", "same"), in_cache(tmp_path, "c1", "x.gguf", "same")
    assert hub.forget(old) == 0
    assert new.read_text() == "same"
