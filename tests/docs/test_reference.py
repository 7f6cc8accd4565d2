"""The reference says what the commands say of themselves."""

from tests.docs import reference
from tests.docs.pages import blocks
from tests.whole import forked


def test_each_help_of_the_reference_is_the_real_one() -> None:
    assert reference.PAGE.read_text("utf-8") == reference.page(), "python -m tests.docs --write"


def test_a_process_says_the_same_as_the_reference() -> None:
    code, out, err = forked.run(("adapters", "list", "--help"), {"PATH": "", "COLUMNS": "80", "NO_COLOR": "1"}, b"")
    assert (code, err) == (0, b"")
    said = "\n".join(line.rstrip() for line in out.decode().strip().splitlines())
    assert f"{said}\n" in [block.text for block in blocks(reference.PAGE)]


def test_no_help_takes_every_teacher_for_claude() -> None:
    lines = [line for line in reference.PAGE.read_text("utf-8").splitlines() if "Claude" in line]
    assert all("Claude Code" in line or "(Claude, unless you set another)" in line for line in lines), lines


def test_no_line_of_it_is_wider_than_its_terminal() -> None:
    for block in blocks(reference.PAGE):
        assert max(map(len, block.text.splitlines())) <= 80
