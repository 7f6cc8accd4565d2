"""What no training uses is not imported with the trainer's libraries, and is there afterwards."""

import importlib.util

import pytest

from shammah_trainer.importing import UNUSED, lean


def test_what_no_training_uses_seems_not_to_be_installed() -> None:
    with lean():
        assert importlib.util.find_spec(UNUSED) is None
        assert importlib.util.find_spec("numpy") is not None


def test_it_is_found_again_afterwards() -> None:
    before = importlib.util.find_spec(UNUSED)
    with pytest.raises(ValueError, match="x"), lean():
        raise ValueError("x")
    assert (importlib.util.find_spec(UNUSED) is None) == (before is None)
