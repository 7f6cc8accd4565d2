"""The garbage collector rests while what stays is made, and works again afterwards."""

import gc

import pytest

from shammah_convert.collector import resting


def test_it_rests_within_and_works_afterwards() -> None:
    with resting():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_after_an_error() -> None:
    with pytest.raises(ValueError, match="x"), resting():
        raise ValueError("x")
    assert gc.isenabled()


def test_what_was_made_is_never_looked_through_again() -> None:
    try:
        with resting():
            made = [[] for _ in range(1000)]  # type: ignore[var-annotated]
        assert gc.get_freeze_count() >= len(made)
        assert not any(thing is made for thing in gc.get_objects())
    finally:
        gc.unfreeze()
