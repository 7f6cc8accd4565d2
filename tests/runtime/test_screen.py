"""What is shown is text, and whoever stops reading spoils nothing."""

import os
import sys

import pytest

from shammah.cli.screen import harmless, json_line, say

BIDI = "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))


def test_what_would_turn_the_writing_round_is_taken_out() -> None:
    assert harmless(f"rm {BIDI}-i") == "rm -i"


def test_within_json_it_is_escaped() -> None:
    assert json_line(BIDI).isascii()


def test_a_line_for_nobody_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        say("one line")
        say("and another")
