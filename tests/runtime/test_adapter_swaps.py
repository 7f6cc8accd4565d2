"""A swap at run time: what is applied answers exactly as if it had always been there, and nothing else does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah.errors import AdapterUnreadable
from shammah.generation import Completion, Sampling, collect
from shammah.local import LocalModel
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile
from shammah_convert.lora import write_lora
from shammah_convert.shape import BaseConfig
from tests.lora_files import BASE, TOKENS, Folder, applied, make_lora, new_folder, write_raw

FIRST = [Message("user", "list all files")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return new_folder(tmp_path_factory.mktemp("adapters"))


@pytest.fixture
def model(folder: Folder) -> Iterator[LocalModel]:
    with folder.open() as model:
        yield model


@pytest.mark.parametrize("is_warm", [False, True], ids=["before any question", "after a question"])
def test_an_adapter_applied_live_is_as_good_as_loaded_with_the_model(
    folder: Folder, model: LocalModel, is_warm: bool
) -> None:
    if is_warm:
        model.logits(TOKENS)
    model.apply([folder.file("a")])
    np.testing.assert_array_equal(model.logits(TOKENS), folder.fresh(folder.file("a")))


def test_an_adapter_that_is_taken_off_leaves_the_base_exactly(folder: Folder, model: LocalModel) -> None:
    before = model.logits(TOKENS)
    model.apply([folder.file("a")])
    assert np.abs(model.logits(TOKENS) - before).max() > 0.5, "the adapter moves the logits"
    model.apply([])
    assert applied(model) == ()
    np.testing.assert_array_equal(model.logits(TOKENS), before)


def test_adapters_are_swapped_there_and_back(folder: Folder, model: LocalModel) -> None:
    for name in "abacbca":
        model.apply([folder.file(name)])
        np.testing.assert_array_equal(model.logits(TOKENS), folder.fresh(folder.file(name)))


@pytest.mark.parametrize(
    "scales", [{"a": 1.0}, {"a": 0.5}, {"a": -0.25}, {"a": 0.5, "b": 1.0}, {"b": 0.3, "a": 2.0, "c": -1.0}]
)
def test_adapters_add_up_with_their_scales(folder: Folder, model: LocalModel, scales: dict[str, float]) -> None:
    model.apply([folder.file(name, scale) for name, scale in scales.items()])
    assert applied(model) == tuple(scales.items())
    # ggml rounds activations to float16 before it multiplies them with a matrix in float16.
    np.testing.assert_allclose(model.logits(TOKENS), folder.merged(scales), atol=4e-3)


def test_another_scale_is_another_answer(folder: Folder, model: LocalModel) -> None:
    model.apply([folder.file("a")])
    model.logits(TOKENS)
    model.apply([folder.file("a", 0.5)])
    np.testing.assert_array_equal(model.logits(TOKENS), folder.fresh(folder.file("a", 0.5)))


def test_one_of_several_can_stay_while_another_goes(folder: Folder, model: LocalModel) -> None:
    for names in ("ab", "b", "bc", "c", "ac"):
        files = [folder.file(name) for name in names]
        model.apply(files)
        np.testing.assert_array_equal(model.logits(TOKENS), folder.fresh(*files))


def answer(model: LocalModel, messages: Sequence[Message]) -> Completion:
    return collect(model.stream(messages, Sampling(max_tokens=20)))


def test_a_swap_in_a_conversation_leaves_nothing_of_the_former_adapter(folder: Folder, model: LocalModel) -> None:
    model.apply([folder.file("a")])
    said = answer(model, FIRST).text
    then = [*FIRST, Message("assistant", said), Message("user", "and hidden ones?")]
    answer(model, then)
    model.apply([folder.file("b")])
    with folder.open() as fresh:
        fresh.apply([folder.file("b")])
        assert answer(model, then) == answer(fresh, then)


def test_an_answer_says_which_adapters_gave_it(folder: Folder, model: LocalModel) -> None:
    for scales in ((("a", 1.0), ("b", 0.5)), (("b", 0.5),), ()):
        model.apply([folder.file(name, scale) for name, scale in scales])
        assert answer(model, FIRST).end.adapters == scales


def test_a_larger_context_keeps_the_adapter(folder: Folder, model: LocalModel) -> None:
    model.apply([folder.file("a")])
    model.logits(TOKENS)
    small, long = model.context_tokens, TOKENS * 150
    after = model.logits(long)
    assert model.context_tokens > small
    np.testing.assert_array_equal(after, folder.fresh(folder.file("a"), tokens=long))


def cut(path: Path) -> None:
    write_lora(path, make_lora(), BASE)
    path.write_bytes(path.read_bytes()[:2000])


def for_another(base: BaseConfig) -> Callable[[Path], None]:
    return lambda path: write_lora(path, make_lora(base=base), base)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"no model at all"),
        lambda path: path.write_bytes(b"GGUF" + bytes(100)),
        lambda path: write_raw(path, {"general.type": "model"}),
        for_another(replace(BASE, architecture="qwen3")),
        for_another(replace(BASE, intermediate_size=96)),
        lambda _: None,
        cut,
    ],
    ids=["no gguf", "garbage", "a model", "another architecture", "another shape", "missing", "cut off"],
)
def test_a_file_that_llama_cpp_refuses_leaves_what_was_applied(
    folder: Folder, model: LocalModel, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    make(tmp_path / "bad.gguf")
    model.apply([folder.file("a")])
    before = model.logits(TOKENS)
    with pytest.raises(AdapterUnreadable, match=r"refuses .*bad\.gguf"):
        model.apply([folder.file("b"), AdapterFile("bad", str(tmp_path / "bad.gguf"), "")])
    assert applied(model) == (("a", 1.0),)
    np.testing.assert_array_equal(model.logits(TOKENS), before)
    model.apply([folder.file("b")])
    np.testing.assert_array_equal(model.logits(TOKENS), folder.fresh(folder.file("b")))


def test_a_model_with_adapters_is_closed_twice_without_harm(folder: Folder) -> None:
    model = folder.open()
    model.apply([folder.file("a"), folder.file("b")])
    for _ in range(2):
        model.close()
