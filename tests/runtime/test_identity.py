"""Which model a server runs, and whether it is another one by now."""

import json
from pathlib import Path

import pytest

from shammah.compatible import cards
from shammah.compatible.identity import Identity, Weights

QWEN = Identity("local", "/models/qwen.gguf", Weights(494_032_768, 397_807_616, 151_936))


@pytest.mark.parametrize(
    "other",
    [
        Identity("local", "/models/qwen-tuned.gguf", QWEN.weights),
        Identity("local", "/models/qwen.gguf", Weights(494_032_769, 397_807_616, 151_936)),
        Identity("local", "/models/qwen.gguf", Weights(494_032_768, 531_068_096, 151_936)),
        Identity("local", "/models/qwen.gguf", Weights(494_032_768, 397_807_616, 152_064)),
        Identity("qwen", "/models/qwen.gguf", QWEN.weights),
    ],
)
def test_another_file_size_shape_or_name_is_another_model(other: Identity) -> None:
    assert QWEN.differs(other)
    assert other.differs(QWEN)
    assert other.sha256 != QWEN.sha256


@pytest.mark.parametrize("other", [QWEN, Identity("local"), Identity("local", "", Weights(494_032_768))])
def test_what_a_server_does_not_tell_makes_no_other_model(other: Identity) -> None:
    assert not QWEN.differs(other)


def test_where_only_a_name_is_told_it_is_known_by_that_as_ever() -> None:
    # sha256 of "a model that a server calls qwen", as homes have it recorded.
    assert Identity("qwen").sha256 == "6ae4e1dd2d5c4a78142428bc8c7da5fbfc3f34e2d6e4ab83ba05362c4ae0895a"


@pytest.mark.parametrize("meta", [None, "none", {"n_params": "many", "size": -1, "n_vocab": True}])
def test_numbers_that_are_none_are_as_good_as_untold(meta: object) -> None:
    assert Weights.read(meta) == Weights()


def test_two_of_one_name_are_told_apart_by_where_they_come_from() -> None:
    other = Identity("local", "/models/other.gguf")
    assert other.beside(QWEN) == "local (/models/other.gguf)"
    assert Identity("qwen3", "/models/qwen3.gguf").beside(QWEN) == "qwen3"


def test_a_card_keeps_all_that_was_told_and_reads_one_of_a_name_alone(tmp_path: Path) -> None:
    path = tmp_path / f"x{cards.SUFFIX}"
    cards.write(path, cards.Card("http://127.0.0.1:1/v1", QWEN))
    assert cards.read(path) == cards.Card("http://127.0.0.1:1/v1", QWEN)
    path.write_text(json.dumps({"server": "http://127.0.0.1:1/v1", "model": "qwen"}))
    assert cards.read(path).identity == Identity("qwen")
