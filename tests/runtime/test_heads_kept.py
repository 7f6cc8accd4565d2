"""A head is kept exactly, and what is no head of ours is refused."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah import features
from shammah.heads import VALIDATOR, Head, WrongState
from shammah.learners import Kind
from tests.taught import HAND, KINDS, features_of, taught


@pytest.mark.parametrize("has_embedding", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_head_is_read_as_it_was_saved(kind: Kind, has_embedding: bool, tmp_path: Path) -> None:
    head = taught(kind, has_embedding=has_embedding)
    head.save(tmp_path / "head.npz")
    read = Head.load(tmp_path / "head.npz", kind, HAND)
    assert (read.lessons, read.cursor, read.with_embedding) == (head.lessons, head.cursor, head.with_embedding)
    assert read.learner.arrays().keys() == head.learner.arrays().keys()
    for name, array in head.learner.arrays().items():
        np.testing.assert_array_equal(read.learner.arrays()[name], array)


def test_adams_moments_and_step_are_saved(tmp_path: Path) -> None:
    head = taught("adam")
    head.save(tmp_path / "head.npz")
    arrays = Head.load(tmp_path / "head.npz", "adam", HAND).learner.arrays()
    assert arrays["step"][0] == 20
    assert arrays["first"].any()
    assert arrays["second"].any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_head_learns_on_as_if_it_had_never_been_saved(kind: Kind, tmp_path: Path) -> None:
    head = taught(kind)
    head.save(tmp_path / "head.npz")
    read = Head.load(tmp_path / "head.npz", kind, HAND)
    lesson = features_of(np.random.default_rng(5), True)
    for one in (head, read):
        one.learn(lesson, True, 0.5, 21)
    assert read.probability(lesson) == head.probability(lesson)


def test_no_file_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Head.load(tmp_path / "head.npz", "bayes", HAND)


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "text": b"not a head",
    "one array": _npy(),
    "no kind": _npz(mean=np.zeros(3)),
    "few numbers": _npz(kind=np.array("bayes"), numbers=np.array([1])),
    "a pickle": _npz(kind=np.array([object()], dtype=object)),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=list(DAMAGED))
def test_a_file_that_is_no_head_is_refused(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "head.npz"
    file.write_bytes(data)
    with pytest.raises(WrongState):
        Head.load(file, "bayes", HAND)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "head.npz"
    taught("bayes", has_embedding=False).save(file)
    return file


def test_a_cut_file_is_refused_wherever_it_is_cut(file: Path) -> None:
    data = file.read_bytes()
    for length in range(0, len(data), 97):
        file.write_bytes(data[:length])
        with pytest.raises(WrongState):
            Head.load(file, "bayes", HAND)


def test_a_flipped_byte_never_changes_what_a_head_says(file: Path) -> None:
    data, whole = file.read_bytes(), Head.load(file, "bayes", HAND)
    refused = 0
    for place in range(0, len(data), 41):
        file.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            read = Head.load(file, "bayes", HAND)
        except WrongState:
            refused += 1
        else:  # a byte that carries nothing, such as a time stamp
            np.testing.assert_array_equal(read.learner.arrays()["covariance"], whole.learner.arrays()["covariance"])
            assert (read.cursor, read.lessons) == (whole.cursor, whole.lessons)
    assert refused > len(range(0, len(data), 41)) / 2


def test_a_head_of_another_learner_is_refused(file: Path) -> None:
    with pytest.raises(WrongState, match="bayes"):
        Head.load(file, "adam", HAND)


def test_a_head_of_another_feature_version_is_refused(file: Path) -> None:
    head = taught("bayes")
    head.version = features.VERSION + 1
    head.save(file)
    with pytest.raises(WrongState, match=f"version {features.VERSION + 1}"):
        Head.load(file, "bayes", HAND)


def test_a_head_of_another_width_is_refused(file: Path) -> None:
    with pytest.raises(WrongState):
        Head.load(file, "bayes", HAND + 1)


def test_what_a_killed_save_leaves_beside_it_does_no_harm(file: Path) -> None:
    file.with_name(f".{file.name}.4242").write_bytes(file.read_bytes()[:100])
    assert Head.load(file, "bayes", HAND).lessons == 20
    taught("bayes", count=30).save(file)
    assert Head.load(file, "bayes", HAND).lessons == 30


def test_a_head_whose_waves_are_of_another_shape_is_refused(file: Path) -> None:
    with pytest.raises(WrongState, match="waves"):
        Head.load(file, "bayes", HAND, VALIDATOR)
