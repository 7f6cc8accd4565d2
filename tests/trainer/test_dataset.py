"""Examples become rows whose loss falls on the completion alone, with the very ids that the runtime sees."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from models.seedling import tokenizer as bpe
from models.seedling.phrasings import Intent
from shammah.local import LocalModel
from shammah_convert.base import About, write_base
from shammah_convert.chat import ChatFormat, Message
from shammah_convert.examples import Example
from shammah_convert.names import hf_names
from shammah_convert.shape import BaseConfig
from shammah_convert.vocabulary import Vocabulary
from shammah_trainer.dataset import IGNORED, Encoder, Row, UnknownControl, collate, draw, of_like_length

CONVERSATION = (
    Message("system", "You are a helpful assistant."),
    Message("user", "list files"),
    Message("assistant", "ls"),
    Message("user", "It's <|im_end|> 42,\n\n  and why?"),
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    phrasings = ("list files", "show all files", "why is it so")
    return bpe.train([Intent("x", "x", "ls -la\nLists files.", (), phrasings)], ["list", "files"], 400)


def example(*prompt: Message, answer: str = "ls -la", weight: float = 1.0) -> Example:
    return Example("1", prompt, (Message("assistant", answer),), None, weight, "user", "2026-11-20T12:00:00Z")


def test_the_labels_are_the_answer_and_its_end(tokenizer: Tokenizer) -> None:
    row = Encoder(tokenizer).row(example(Message("user", "list files")))
    learned = [label for label in row.labels if label != IGNORED]
    assert tokenizer.decode(learned, skip_special_tokens=False) == "ls -la<|im_end|>"


def test_no_label_falls_on_the_prompt(tokenizer: Tokenizer) -> None:
    row = Encoder(tokenizer).row(example(*CONVERSATION))
    assert set(row.labels[: row.prompt_tokens]) == {IGNORED}
    assert tokenizer.decode(list(row.tokens[: row.prompt_tokens]), skip_special_tokens=False).endswith("assistant\n")


def test_a_typed_control_token_is_text(tokenizer: Tokenizer) -> None:
    row = Encoder(tokenizer).row(example(Message("user", "<|im_end|><|im_end|>")))
    # One ends the question and one the answer.
    assert row.tokens.count(tokenizer.token_to_id("<|im_end|>")) == 2


def test_encoding_leaves_the_tokenizer_as_it_was(tokenizer: Tokenizer) -> None:
    Encoder(tokenizer)
    assert tokenizer.encode("<|im_end|>").ids == [tokenizer.token_to_id("<|im_end|>")]


def test_a_shortened_row_keeps_its_prompt(tokenizer: Tokenizer) -> None:
    row = Encoder(tokenizer).row(example(*CONVERSATION, answer="ls -la and much more"))
    short = row.shortened(2)
    assert len(short.tokens) == row.prompt_tokens + 2
    assert short.labels == row.labels[: row.prompt_tokens + 2]


def test_the_prompt_tokens_equal_the_runtimes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = _random_gguf(tmp_path / "tiny.gguf", tokenizer)
    row = Encoder(tokenizer).row(example(*CONVERSATION))
    with LocalModel(path) as model:
        assert model.prompt_tokens(CONVERSATION) == list(row.tokens[: row.prompt_tokens])


def test_a_format_that_thinks_needs_its_tokens(tokenizer: Tokenizer) -> None:
    with pytest.raises(UnknownControl, match="<think>"):
        Encoder(tokenizer, ChatFormat(has_empty_think=True)).row(example(Message("user", "x")))


def test_shorter_rows_are_padded_and_masked() -> None:
    batch = collate([Row((5, 6, 7), 1), Row((8, 9), 1)], padding=0)
    assert batch.tokens.tolist() == [[5, 6, 7], [8, 9, 0]]
    assert batch.labels.tolist() == [[IGNORED, 6, 7], [IGNORED, 9, IGNORED]]
    assert batch.mask.tolist() == [[True, True, True], [True, True, False]]


def test_rows_are_padded_to_a_multiple() -> None:
    assert collate([Row((5, 6, 7), 1)], padding=0, multiple=4).tokens.tolist() == [[5, 6, 7, 0]]


def test_weights_are_sampling_frequencies() -> None:
    drawn = Counter(draw([10.0, 3.0, 1.0], 14_000, torch.Generator().manual_seed(1)))
    # Expected 10,000, 3,000 and 1,000; the standard deviations are 53, 49 and 30.
    assert [drawn[index] for index in range(3)] == pytest.approx([10_000, 3_000, 1_000], abs=250)


def test_the_same_seed_draws_the_same() -> None:
    first, second = (draw([1.0, 2.0, 3.0], 50, torch.Generator().manual_seed(4)) for _ in range(2))
    assert first == second


def _random_gguf(path: Path, tokenizer: Tokenizer) -> Path:
    rows, width = tokenizer.get_vocab_size(), 32
    config = BaseConfig(
        "qwen2", width, 32, layers=1, heads=1, kv_heads=1, head_size=32, context_tokens=256, is_tied=True
    )
    shapes = {"embed_tokens.weight": (rows, width)}
    weights = {}
    for name in hf_names("qwen2", 1, is_tied=True):
        square = (width, width) if "proj.weight" in name else (width,)
        weights[name] = torch.randn(shapes.get(name.removeprefix("model."), square)).numpy()
    write_base(path, config, weights, Vocabulary.from_tokenizer_json(tokenizer.to_str()), About("tiny", "apache-2.0"))
    return path


def test_batches_of_like_length_hold_every_row_and_stay_within_their_bounds() -> None:
    rows = [Row(tuple(range(length)), 1) for length in (40, 3, 9, 8, 41, 10, 3, 90)]
    batches = list(of_like_length(rows, most_tokens=85, most_padding=4))
    assert [[len(row.tokens) for row in batch] for batch in batches] == [[3, 3], [8, 9, 10], [40, 41], [90]]
    assert Counter(row for batch in batches for row in batch) == Counter(rows)
