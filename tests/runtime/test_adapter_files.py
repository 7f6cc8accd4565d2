"""An adapter comes into a home whole and fitting its base, or not at all, with an error that has a name and a hint."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from shammah.adapters import active_files, hash_of, install, verify
from shammah.errors import (
    AdapterChanged,
    AdapterDoesNotFit,
    AdapterError,
    AdapterForOtherBase,
    AdapterUnreadable,
    AdapterValues,
    NotAnAdapter,
    ShammahError,
)
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.records.bases import Base
from shammah_convert.job import AdapterFile
from shammah_convert.lora import BASE_SHA256, Card, Matrix, write_lora
from shammah_convert.shape import BaseConfig
from tests.lora_files import BASE, RANK, TOKENS, UP, UP_A, UP_B, filled, make_lora, write_raw
from tests.tiny import FEED_FORWARD, WIDTH, write_tiny


@dataclass(frozen=True)
class House:
    """A home, a base that is served there, and a place for files from elsewhere."""

    home: Path
    base: Base
    file: Path

    def write(self, card: Card | None = None, base: BaseConfig = BASE) -> Path:
        """A sound adapter for the served base, but for what the test gives."""
        card = card or Card("mine", "tiny", self.base.sha256, parent="older", scores={"learnt.exact": 0.9})
        write_lora(self.file, make_lora(card, base), base)
        return self.file

    def raw(self, facts: dict[str, str | float | None], tensors: dict[str, Matrix | None]) -> None:
        write_raw(self.file, {BASE_SHA256: self.base.sha256, **facts}, tensors)

    def install(self, training: int | None = None) -> AdapterFile:
        adapter = install(self.home, self.file, self.base, training)
        return AdapterFile(adapter.name, adapter.path, adapter.sha256)

    def kept(self) -> list[Path]:
        return sorted(self.home.glob("adapters/*"))


@pytest.fixture
def house(tmp_path: Path) -> House:
    path = write_tiny(tmp_path / "base.gguf")
    base = Base(hash_of(path), str(path), path.stat().st_size, 0, 0, "tiny", "qwen2")
    (tmp_path / "home").mkdir()
    return House(tmp_path / "home", base, tmp_path / "adapter.gguf")


# What comes in.


def test_a_sound_file_is_copied_and_described(house: House) -> None:
    house.write()
    adapter = install(house.home, house.file, house.base)
    assert (adapter.name, adapter.base, adapter.training) == ("mine", house.base.sha256, None)
    assert (adapter.parent, adapter.scores) == ("older", {"learnt.exact": 0.9})
    assert house.kept() == [Path(adapter.path)]
    assert Path(adapter.path).read_bytes() == house.file.read_bytes()
    assert adapter.sha256 == hash_of(house.file)
    assert (house.home / "adapters").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("training", [None, 3])
def test_what_came_in_serves_once_its_source_is_gone(house: House, training: int | None) -> None:
    house.write()
    file = house.install(training)
    house.file.unlink()
    verify(file)
    with LocalModel(Path(house.base.path), gpu_layers=0) as model:
        before = model.logits(TOKENS)
        model.apply([file])
        assert np.abs(model.logits(TOKENS) - before).max() > 0.5


def test_the_same_file_comes_in_twice_as_one(house: House) -> None:
    house.write()
    assert house.install() == house.install()
    assert len(house.kept()) == 1


def test_two_files_of_one_name_do_not_overwrite_each_other(house: House) -> None:
    house.write()
    first = house.install()
    house.write(Card("mine", "tiny", house.base.sha256, "other examples"))
    house.install()
    verify(first)
    assert len(house.kept()) == 2


def test_the_adapter_of_a_training_is_named_by_ggufs_convention(house: House) -> None:
    house.write(Card("corrections-v3", "Tiny Qwen", house.base.sha256, version=3, size_label="120K"))
    assert Path(house.install(training=3).path).name == "Tiny-Qwen-120K-corrections-v3-F16-LoRA.gguf"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("../../evil", "evil"),
        ("/etc/passwd", "etc-passwd"),
        ("a:2 b\nc", "a-2-b-c"),
        ("--force", "force"),
        ("...", "adapter"),
        ("x" * 300, "x" * 80),
        ("Grüße", "Grüße"),
    ],
)
def test_whatever_a_file_calls_itself_it_gets_a_name_that_can_be_typed(house: House, said: str, name: str) -> None:
    house.write(Card(said, "tiny", house.base.sha256))
    file = house.install()
    assert file.name == name
    assert house.kept() == [Path(file.path)]


def test_a_long_name_in_long_letters_still_fits_a_folder(house: House) -> None:
    house.write(Card("𠀋" * 100, "tiny", house.base.sha256))  # 4 bytes each; a file's name may hold 255
    file = house.install()
    assert house.kept() == [Path(file.path)]


def test_a_name_that_a_command_takes_for_itself_is_given_to_no_adapter(house: House) -> None:
    house.write(Card("none", "tiny", house.base.sha256))
    assert house.install().name != "none", "`shammah adapters use none` applies no adapter"


# What does not come in.

Make = Callable[[House], object]


def raw(facts: dict[str, str | float | None] | None = None, **tensors: Matrix | None) -> Make:
    """A file past all checks; tensors by the names that `PLACES` gives them."""
    return lambda house: house.raw(facts or {}, {PLACES[place]: matrix for place, matrix in tensors.items()})


PLACES = {
    "a": UP_A,
    "b": UP_B,
    "too_deep_a": "blk.9.ffn_up.weight.lora_a",
    "too_deep_b": "blk.9.ffn_up.weight.lora_b",
    "strange_a": "blk.0.nonsense.weight.lora_a",
    "whole": "blk.0.ffn_up.weight",
    "embedding_a": "token_embd.weight.lora_a",
    "embedding_b": "token_embd.weight.lora_b",
    "norm_a": "blk.0.attn_norm.weight.lora_a",
    "norm_b": "blk.0.attn_norm.weight.lora_b",
}


def cut(share: float) -> Make:
    def make(house: House) -> None:
        whole = house.write().read_bytes()
        house.file.write_bytes(whole[: int(share * len(whole))])

    return make


def with_one(value: float, half: str) -> Make:
    """One weight of one half is a value, all others are sane."""
    matrix = filled(RANK, WIDTH) if half == "a" else filled(FEED_FORWARD, RANK)
    matrix[1, 1] = value
    return raw({}, **{half: matrix})


def for_other(card_sha256: str, base: BaseConfig = BASE) -> Make:
    return lambda house: house.write(Card("mine", "tiny", card_sha256), base)


QWEN3 = replace(BASE, architecture="qwen3")
BAD: dict[str, tuple[Make, type[AdapterError], str]] = {
    "missing": (lambda _: None, AdapterUnreadable, "No such file"),
    "a folder": (lambda house: house.file.mkdir(), AdapterUnreadable, "directory"),
    "empty": (lambda house: house.file.touch(), AdapterUnreadable, "no GGUF"),
    "text": (lambda house: house.file.write_text("hello"), AdapterUnreadable, "no GGUF"),
    "magic alone": (lambda house: house.file.write_bytes(b"GGUF"), AdapterUnreadable, "cut off or broken"),
    "garbage": (lambda house: house.file.write_bytes(b"GGUF" + b"\xff" * 99), AdapterUnreadable, "cut off or broken"),
    "cut off early": (cut(0.1), AdapterUnreadable, "cut off or broken"),
    "cut off late": (cut(0.999), AdapterUnreadable, "cut off or broken"),
    "a model": (lambda house: write_tiny(house.file), NotAnAdapter, "not an adapter"),
    "of another type": (raw({"general.type": "model"}), NotAnAdapter, "holds a model"),
    "of no type": (raw({"general.type": None}), NotAnAdapter, "nameless"),
    "another adapter type": (raw({"adapter.type": "control_vector"}), NotAnAdapter, "not lora"),
    "no adapter type": (raw({"adapter.type": None}), NotAnAdapter, "not lora"),
    "another architecture": (for_other("ab" * 32, QWEN3), AdapterForOtherBase, "qwen3 model, not a qwen2"),
    "a strange architecture": (raw({"general.architecture": "llama"}), AdapterForOtherBase, "llama"),
    "another base of its shape": (for_other("ab" * 32), AdapterForOtherBase, "for another file than tiny"),
    "no base named": (for_other(""), AdapterForOtherBase, "does not say which"),
    "half a pair": (raw(b=None), AdapterDoesNotFit, "only .lora_a"),
    "the other half": (raw(a=None), AdapterDoesNotFit, "only .lora_b"),
    "ranks that differ": (raw(b=filled(FEED_FORWARD, RANK + 1)), AdapterDoesNotFit, "not (rank, 64)"),
    "a rank too large": (raw(a=filled(65, WIDTH), b=filled(FEED_FORWARD, 65)), AdapterDoesNotFit, "not (rank, 64)"),
    "a shape too wide": (raw(a=filled(RANK, WIDTH + 1)), AdapterDoesNotFit, "not (rank, 64)"),
    "a shape too long": (raw(b=filled(FEED_FORWARD + 1, RANK)), AdapterDoesNotFit, "not (rank, 64)"),
    "turned round": (raw(a=filled(WIDTH, RANK), b=filled(RANK, FEED_FORWARD)), AdapterDoesNotFit, "not (rank, 64)"),
    "a vector": (raw(a=filled(WIDTH)), AdapterDoesNotFit, "not (rank, 64)"),
    "a layer too many": (
        raw(too_deep_a=filled(RANK, WIDTH), too_deep_b=filled(FEED_FORWARD, RANK)), AdapterDoesNotFit, "blk.9"
    ),
    "a strange name": (raw(strange_a=filled(RANK, WIDTH)), AdapterDoesNotFit, "nonsense"),
    "a whole matrix": (raw(whole=filled(FEED_FORWARD, WIDTH)), AdapterDoesNotFit, "no half of a LoRA pair"),
    "on the embedding": (
        raw(embedding_a=filled(RANK, WIDTH), embedding_b=filled(260, RANK)), AdapterDoesNotFit, "may not change"
    ),
    "on a norm": (raw(norm_a=filled(1, WIDTH), norm_b=filled(WIDTH, 1)), AdapterDoesNotFit, "may not change"),
    "no pair": (raw(a=None, b=None), AdapterDoesNotFit, "no pair"),
    "no alpha": (raw({"adapter.lora.alpha": None}), AdapterValues, "alpha is nan"),
    "alpha a word": (raw({"adapter.lora.alpha": "eight"}), AdapterValues, "alpha is nan"),
    **{
        f"alpha {alpha}": (raw({"adapter.lora.alpha": alpha}), AdapterValues, "alpha is")
        for alpha in (math.nan, math.inf, 0.0, -8.0, 1e9)
    },
    **{
        f"{value} in lora_{half}": (with_one(value, half), AdapterValues, f"{UP} holds weights")
        for value in (math.nan, math.inf, -math.inf, 1e6, -1e6)
        for half in "ab"
    },
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_a_file_that_the_base_cannot_run_has_a_named_error_and_stays_outside(house: House, bad: str) -> None:
    make, error, words = BAD[bad]
    make(house)
    with Journal(house.home) as journal:
        with pytest.raises(AdapterError) as refused:
            house.install()
        assert journal.adapters.all() == []
        assert active_files(journal, house.base.sha256) == []
    assert type(refused.value) is error
    assert words in str(refused.value)
    assert refused.value.hint not in ("", ShammahError.hint, AdapterError.hint), "the hint is about this very kind"
    assert house.kept() == []


def test_a_refused_file_leaves_the_one_that_came_before(house: House) -> None:
    house.write()
    before = house.install()
    house.raw({}, {UP_B: None})
    with pytest.raises(AdapterDoesNotFit):
        house.install()
    verify(before)
    assert len(house.kept()) == 1


# What lies there.


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_flipped_byte_is_noticed(house: House, place: int) -> None:
    house.write()
    file = house.install()
    whole = bytearray(Path(file.path).read_bytes())
    whole[place] ^= 1
    Path(file.path).write_bytes(whole)
    with pytest.raises(AdapterChanged, match="recorded as mine"):
        verify(file)


def test_another_sound_adapter_in_its_place_is_noticed(house: House) -> None:
    house.write()
    file = house.install()
    write_lora(Path(file.path), make_lora(Card("mine", "tiny", house.base.sha256), seed=8), BASE)
    with pytest.raises(AdapterChanged):
        verify(file)


def test_a_lost_file_is_named_with_a_way_out(house: House) -> None:
    house.write()
    file = house.install()
    Path(file.path).unlink()
    with pytest.raises(AdapterUnreadable, match="mine cannot be read") as lost:
        verify(file)
    assert "rollback" in lost.value.hint
