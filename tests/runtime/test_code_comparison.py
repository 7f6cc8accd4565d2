"""Code is the same when only its layout differs, and never when what it does may differ."""

import pytest

from shammah.code_comparison import MOST_CHARACTERS, Block, blocks, is_same, prose


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


SAME = [
    ("x = 1", "x=1  # one", "python"),
    ("print('a')", 'print("a")', "python"),
    ("def f():\n    return 1", 'def f():\n  """One."""\n\n  return (1)', "python"),
    ("def f():\n    'Later.'", "def f():\n    pass", "python"),
    ("class A:\n    'A.'\n    x = 1", "class A:\n    x = 1\n", "python"),
    ("let x = 1; // one", "let x=1;", "javascript"),
    ("int x = 1;\n\n/* two\nlines */\nint y;", "int x = 1;\nint y;", "c"),
    ("git  status   # what changed", "git status", "bash"),
    ("# list\nls -la", "ls   -la\n", "sh"),
    ("a: 1\nb: 2  ", "a: 1\n\nb: 2", "yaml"),
]
DIFFERENT = [
    ("x = 1", "x = 2", "python"),
    ("return a - b", "return b - a", "python"),
    ("x = '#1'", "x = '#2'", "python"),
    ("x = a - -b;", "x = a--b;", "javascript"),
    ("return\nx", "return x", "javascript"),
    ('s = "a  b"', 's = "a b"', "javascript"),
    ("rm -rf /tmp/x", "rm -rf / tmp/x", "bash"),
    ("echo 'a  b'", "echo 'a b'", "bash"),
    ("curl http://a#x", "curl http://a", "bash"),
    ("a:\n  b: 1", "a:\nb: 1", "yaml"),
    ("ls -la", "ls - la", ""),
]


@pytest.mark.parametrize(("one", "other", "language"), SAME)
def test_layout_comments_quotes_and_docstrings_do_not_count(one: str, other: str, language: str) -> None:
    assert is_same(fenced(one, language), fenced(other, language))
    assert is_same(f"So:\n{fenced(other, language)}", fenced(one, language)), "text around it does not either"


@pytest.mark.parametrize(("one", "other", "language"), DIFFERENT)
def test_what_may_do_something_else_is_different(one: str, other: str, language: str) -> None:
    assert not is_same(fenced(one, language), fenced(other, language))


def test_a_fence_without_a_language_matches_one_that_names_it() -> None:
    assert is_same(fenced("import os\nos.getcwd( )", ""), fenced("import os\nos.getcwd()", "python"))
    assert not is_same(fenced("x = 1", "python"), fenced("x = 1", "ruby"))


def test_an_answer_that_is_nothing_but_python_needs_no_fence() -> None:
    assert is_same("def f(x):\n  return x", fenced("def f(x):\n    return x"))
    assert blocks("ls -la") == [], "it parses as Python, and is none"


def test_every_block_counts() -> None:
    one, two = fenced("x = 1"), fenced("y = 2")
    assert is_same(f"{one}\nand\n{two}", f"{one}\n{two}")
    assert not is_same(f"{one}\n{two}", one)
    assert not is_same(f"{one}\n{two}", f"{two}\n{one}")


def test_answers_without_code_hold_no_same_code() -> None:
    assert not is_same("yes", "yes")


def test_fenced_blocks_are_taken_out_of_the_text() -> None:
    text = "Before.\n\n~~~sh\nls\n~~~\n\nAfter."
    assert blocks(text) == [Block("shell", "ls\n")]
    assert prose(text) == "Before.\n\n\n\nAfter."


@pytest.mark.parametrize("code", ["def (", "x = '\\q'", "x = 1\0", "(" * 3000, "-" * 20000 + "1", "x = " + "9" * 5000])
def test_no_code_breaks_the_comparison(code: str) -> None:
    assert is_same(fenced(code), fenced(code))


def test_what_is_very_long_is_not_compared() -> None:
    long = fenced("x = 1\n" * MOST_CHARACTERS)
    assert not is_same(long, long)
