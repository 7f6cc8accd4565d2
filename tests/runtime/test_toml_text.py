"""One key of a TOML text changes, and not a letter of the rest."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shammah.errors import ConfigError
from shammah.toml_text import drop_key, literal, read, set_key

FILE = """# my settings
offline = true  # at work

[teacher]   # Claude
model = "a#b" # the good one
# what a day may cost
max_usd_per_day = 2.0

[answer]
system = '''
Be "short". # no comment
'''
"""


def test_a_value_is_replaced_where_it_stands() -> None:
    assert set_key(FILE, ("teacher", "model"), "x") == FILE.replace('"a#b"', '"x"')
    assert set_key(FILE, ("offline",), False) == FILE.replace("true  #", "false  #")
    assert set_key(FILE, ("answer", "system"), "Hm.") == FILE[: FILE.index("'''")] + '"Hm."\n'


def test_a_new_key_goes_to_the_end_of_its_section() -> None:
    expected = FILE.replace("max_usd_per_day = 2.0\n", "max_usd_per_day = 2.0\nmax_tokens = 5\n")
    assert set_key(FILE, ("teacher", "max_tokens"), 5) == expected


def test_a_new_section_goes_to_the_end_of_the_file() -> None:
    assert set_key(FILE, ("worker", "enabled"), False) == FILE + "\n[worker]\nenabled = false\n"
    assert set_key("", ("worker", "enabled"), False) == "[worker]\nenabled = false\n"


def test_a_key_without_a_section_goes_above_all_sections_and_below_the_opening_comment() -> None:
    text = "# mine\n\n[model]\nthreads = 1"
    assert set_key(text, ("offline",), True) == "# mine\n\noffline = true\n[model]\nthreads = 1"
    assert set_key("[model]\n", ("offline",), True) == "offline = true\n[model]\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('teacher.model = "a" # x\n', 'teacher.model = "b" # x\n'),
        ('"teacher" . model = "a"\n', '"teacher" . model = "b"\n'),
        ('teacher = { model = "a", max_tokens = 5 } # x\n', 'teacher = { model = "b", max_tokens = 5 } # x\n'),
        ("teacher = { max_tokens = 5 }", 'teacher = { max_tokens = 5, model = "b" }'),
        ('[teacher]\r\nmodel = "a"\r\n', '[teacher]\r\nmodel = "b"\r\n'),
        ('[ teacher ]\n\tmodel="a"', '[ teacher ]\n\tmodel="b"'),
        ('"a=b" = 1\n[teacher]\nmodel = """a\n# b"""\n', '"a=b" = 1\n[teacher]\nmodel = "b"\n'),
    ],
)
def test_every_way_to_write_a_key_is_kept(text: str, after: str) -> None:
    assert set_key(text, ("teacher", "model"), "b") == after


def test_a_file_of_another_system_keeps_its_ends_of_lines() -> None:
    assert set_key("[model]\r\nthreads = 1\r\n", ("model", "path"), "x") == ('[model]\r\nthreads = 1\r\npath = "x"\r\n')


def test_a_key_is_taken_out_with_its_line() -> None:
    assert drop_key(FILE, ("teacher", "model")) == FILE.replace('model = "a#b" # the good one\n', "")
    assert drop_key(FILE, ("answer", "system")) == FILE[: FILE.index("system")]
    assert drop_key(FILE, ("model", "path")) == FILE


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"teacher\.model"):
        drop_key('teacher = { model = "a" }\n', ("teacher", "model"))


@pytest.mark.parametrize("text", ["[teacher", "a = 1\na = 2", "x ="])
def test_what_is_no_toml_is_not_touched(text: str) -> None:
    with pytest.raises(ConfigError, match="no TOML"):
        set_key(text, ("offline",), True)


def test_every_entry_is_found_with_its_value() -> None:
    found = [(entry.path, FILE[slice(*entry.value)]) for entry in read(FILE) if not entry.is_heading]
    assert found[:3] == [
        (("offline",), "true"),
        (("teacher", "model"), '"a#b"'),
        (("teacher", "max_usd_per_day"), "2.0"),
    ]
    assert found[3][1].startswith("'''\nBe")


VALUES = some.one_of(
    some.booleans(),
    some.integers(-(2**62), 2**62),
    some.floats(allow_nan=False, allow_infinity=False),
    some.text(some.characters(exclude_categories=["Cs"])),
)


@given(VALUES)
def test_every_value_is_read_as_it_was_written(value: Any) -> None:
    after = set_key(FILE, ("teacher", "model"), value)
    found = tomllib.loads(after)["teacher"]["model"]
    assert (found, type(found)) == (value, type(value))
    assert tomllib.loads(f"x = {literal(value)}")["x"] == value
