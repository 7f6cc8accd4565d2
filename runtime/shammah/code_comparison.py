"""Is the code of two answers the same: Python by its syntax tree, other languages by their tokens.

Layout, comments, quotes and docstrings do not count, as far as the language does not mean something by them. What
cannot be told apart safely counts as different: a wrong "same" teaches that a bad answer is good.
"""

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

# The parser is recursive, and nobody compares a longer answer by hand either.
MOST_CHARACTERS = 50_000

_FENCE = re.compile(
    r"^[ ]{0,3}(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n`]*\n(?P<code>.*?)^[ ]{0,3}(?P=mark)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_ALIASES = {
    "py": "python", "python3": "python", "js": "javascript", "ts": "typescript", "rs": "rust", "golang": "go",
    "sh": "shell", "bash": "shell", "zsh": "shell", "console": "shell", "c++": "cpp", "cs": "csharp",
}  # fmt: skip
_SLASHES = frozenset({"javascript", "typescript", "rust", "go", "c", "cpp", "csharp", "java", "kotlin", "swift"})
# Text that no shell command is: `ls -la` parses as Python, too.
_PYTHON = re.compile(
    r"^\s*(?:def \w+\(|class \w+|import \w+|from [\w.]+ import |for .+ in .+:|with .+:|return\b|print\(|\w+ = )",
    re.MULTILINE,
)
_SLASH_COMMENT = r"//[^\n]*|/\*.*?\*/"
_STRING = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
# Runs of operators stay together: `a - -b` is not `a--b`.
_TOKEN = re.compile(rf"{_SLASH_COMMENT}|{_STRING}|\w+(?:\.\d+)?|[-+*/%=<>!&|^~?:.@#$\\]+|[^\w\s]|\n", re.DOTALL)
_SHELL_WORD = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|\n|(?:^|(?<=\s))#[^\n]*|[^\s\"']+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced piece of code; its language is empty where the fence names none."""

    language: str
    code: str


def blocks(text: str) -> list[Block]:
    """The fenced code of an answer, in order; an answer that is nothing but Python needs no fence."""
    found = [Block(_language(match["language"]), match["code"]) for match in _FENCE.finditer(text[:MOST_CHARACTERS])]
    is_bare_python = not found and bool(_PYTHON.search(text)) and _tree(text) is not None
    return [Block("python", text)] if is_bare_python else found


def prose(text: str) -> str:
    """An answer without its fenced code."""
    return _FENCE.sub("", text).strip()


def is_same(one: str, other: str) -> bool:
    """Whether two answers hold the same code, block for block; answers without any do not."""
    if max(len(one), len(other)) > MOST_CHARACTERS:
        return False
    some, others = blocks(one), blocks(other)
    return bool(some) and len(some) == len(others) and all(map(_is_same_block, some, others))


def _language(name: str) -> str:
    return _ALIASES.get(name.lower(), name.lower())


def _is_same_block(one: Block, other: Block) -> bool:
    language = one.language or other.language
    if other.language not in ("", language):
        return False
    if language == "python" or (not language and _PYTHON.search(one.code)):
        trees = _tree(one.code), _tree(other.code)
        if None not in trees:
            return trees[0] == trees[1]
    return _tokens(one.code, language) == _tokens(other.code, language)


def _tree(code: str) -> str | None:
    """The syntax tree of Python without its docstrings, as text; None where it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            tree = ast.parse(code)
        for node in ast.walk(tree):
            _drop_docstring(node)
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
        ast.get_docstring(node, clean=False) is not None
    ):
        node.body = node.body[1:] or [ast.Pass()]


def _tokens(code: str, language: str) -> Sequence[str]:
    """What is left of code without its layout and comments, as far as the language is known."""
    if language in _SLASHES:
        # Go and JavaScript end statements at line ends, so those stay.
        return _without_empty_lines([t for t in _TOKEN.findall(code) if not t.startswith(("//", "/*"))])
    if language == "shell":
        return _without_empty_lines([t for t in _SHELL_WORD.findall(code) if not t.startswith("#")])
    return [line.rstrip() for line in code.splitlines() if line.strip()]  # an indent may mean something


def _without_empty_lines(tokens: Sequence[str]) -> Sequence[str]:
    kept = [t for t, before in zip(tokens, ["\n", *tokens], strict=False) if (t, before) != ("\n", "\n")]
    return kept[:-1] if kept[-1:] == ["\n"] else kept
