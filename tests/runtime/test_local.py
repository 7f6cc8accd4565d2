"""The local model through llama.cpp, on tiny real files and on the seedling."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import llama_cpp
import numpy as np
import pytest

from shammah import bases
from shammah.errors import BadModel, ContextTooLong, Interrupted, ModelMissing
from shammah.generation import Finish, Sampling, collect
from shammah.local import LocalModel
from shammah_convert.chat import Message
from tests.tiny import vocabulary, write_tiny

QUESTION = [Message("user", "list all files, please")]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    with LocalModel(write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf")) as model:
        yield model


def test_a_prompt_is_built_of_control_tokens_and_text(tiny: LocalModel) -> None:
    tokens = tiny.prompt_tokens([Message("user", "ls")])
    words = [vocabulary().tokens[token] for token in tokens]
    assert words[:1] + words[6:9] == ["<|im_start|>", "ls", "<|im_end|>", "\u010a"]
    assert "".join(words[9:]) == "<|im_start|>assistant\u010a"


def test_typed_control_tokens_are_text(tiny: LocalModel) -> None:
    end = vocabulary().tokens.index("<|im_end|>")
    plain = tiny.prompt_tokens([Message("user", "ls")]).count(end)
    assert tiny.prompt_tokens([Message("user", "ls<|im_end|><|im_end|>")]).count(end) == plain


def test_a_qwen3_gets_an_empty_think_block(tmp_path: Path) -> None:
    template = "{% if enable_thinking %}<think>{% endif %}"
    with LocalModel(write_tiny(tmp_path / "q3.gguf", "qwen3", template=template)) as model:
        words = "".join(vocabulary().tokens[token] for token in model.prompt_tokens([Message("user", "ls")]))
    assert words.endswith("assistant\u010a<think>\u010a\u010a</think>\u010a\u010a")


def test_log_probabilities_are_those_of_the_logits(tiny: LocalModel) -> None:
    tokens = tiny.prompt_tokens(QUESTION)
    logits = tiny.logits(tokens).astype(np.float64)
    expected = logits.max() - (logits.max() + np.log(np.exp(logits - logits.max()).sum()))
    first = collect(tiny.stream(QUESTION, Sampling(max_tokens=1))).logprobs[0]
    assert first == pytest.approx(expected, abs=1e-4)


def test_greedy_text_equals_the_bindings_own(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", seed=3)
    with LocalModel(path) as model:
        tokens = model.prompt_tokens(QUESTION)
        mine = collect(model.stream(QUESTION, Sampling(max_tokens=40))).text
    theirs = llama_cpp.Llama(str(path), n_ctx=512, n_threads=1, verbose=False)
    done = theirs.create_completion(tokens, max_tokens=40, temperature=0.0, repeat_penalty=1.0)
    theirs.close()
    # The bindings drop bytes that are no UTF-8; here they show as U+FFFD.
    assert mine.replace("\ufffd", "").strip() == done["choices"][0]["text"].strip()


def test_a_seed_makes_a_draw_repeatable(tiny: LocalModel) -> None:
    def draw(seed: int) -> str:
        return collect(tiny.stream(QUESTION, Sampling(20, temperature=1.0, seed=seed))).text

    assert draw(1) == draw(1)
    assert len({draw(seed) for seed in range(5)}) > 1


def test_the_tokens_of_an_answer_are_counted_and_bounded(tiny: LocalModel) -> None:
    done = collect(tiny.stream(QUESTION, Sampling(max_tokens=7)))
    assert done.end.prompt_tokens == len(tiny.prompt_tokens(QUESTION))
    assert done.end.completion_tokens <= 7
    assert len(done.logprobs) <= done.end.completion_tokens


@pytest.mark.parametrize("words", [0, 100, 200, 230, 300, 480, 500, 700, 870])
def test_a_prompt_of_any_length_that_fits_is_answered(tiny: LocalModel, words: int) -> None:
    """Sizes on both sides of multiples of 256, where a context that is no multiple fails."""
    done = collect(tiny.stream([Message("user", "a" * words)], Sampling(max_tokens=120)))
    assert done.end.finish in (Finish.STOP, Finish.LENGTH)


def test_what_does_not_fit_is_refused_and_never_cut(tiny: LocalModel) -> None:
    long = [Message("user", "a" * 1000)]
    assert not tiny.fits(len(tiny.prompt_tokens(long)), 1024)
    with pytest.raises(ContextTooLong, match="the context holds 1,024"):
        collect(tiny.stream(long, Sampling()))


def test_a_smaller_limit_counts(tiny: LocalModel) -> None:
    with pytest.raises(ContextTooLong, match="holds 256"):
        collect(tiny.stream([Message("user", "a" * 200)], Sampling(), limit_tokens=256))


def test_an_interrupt_ends_the_reading_of_a_prompt(tiny: LocalModel) -> None:
    calls = itertools.count()
    done = collect(tiny.stream([Message("user", "a" * 800)], Sampling(), stop=lambda: next(calls) > 3))
    assert (done.end.finish, done.text, done.end.completion_tokens) == (Finish.INTERRUPTED, "", 0)
    assert next(calls) < 100, "the graph of one step has more nodes than that: it was left in the middle"


def test_after_an_interrupt_the_model_answers_as_before(tiny: LocalModel) -> None:
    before = collect(tiny.stream(QUESTION, Sampling(20))).text
    collect(tiny.stream([Message("user", "a" * 800)], Sampling(), stop=lambda: True))
    assert collect(tiny.stream(QUESTION, Sampling(20))).text == before


def test_an_interrupt_between_tokens_keeps_the_part(tiny: LocalModel) -> None:
    seen: list[str] = []
    done = collect(tiny.stream(QUESTION, Sampling(50), stop=lambda: len(seen) > 3), seen.append)
    assert done.end.finish is Finish.INTERRUPTED
    assert done.text == "".join(seen).strip()


def test_loading_can_be_interrupted(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        LocalModel(write_tiny(tmp_path / "tiny.gguf"), stop=lambda: True)


def test_a_missing_file_and_a_wrong_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        LocalModel(tmp_path / "none.gguf")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(BadModel, match=r"cannot load .*bad\.gguf"):
        LocalModel(tmp_path / "bad.gguf")


def test_a_model_without_chatml_is_refused(tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf")
    file.write_bytes(file.read_bytes().replace(b"<|im_end|>", b"<|in_end|>"))
    with pytest.raises(BadModel, match="does not speak ChatML"):
        LocalModel(file)


def test_native_chatter_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with LocalModel(write_tiny(tmp_path / "tiny.gguf")) as model:
        collect(model.stream(QUESTION, Sampling(5)))
    assert capfd.readouterr() == ("", "")


def test_the_seedling_answers_and_refuses() -> None:
    with LocalModel(bases.SEEDLING, threads=2) as model:
        known = collect(
            model.stream([Message("user", "how do i undo the last commit but keep the changes")], Sampling())
        )
        unknown = collect(model.stream([Message("user", "what is the capital of portugal")], Sampling()))
    assert known.text.startswith("git reset")
    assert known.end.finish is Finish.STOP
    assert unknown.text.startswith("I do not know that one.")
