"""Every snippet of Python in the pages runs as it stands, in an empty home."""

import ast
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Block, blocks

SERVED = "<!-- run -->\n```"
"""What stands before a snippet that talks to the daemon: tests/whole/test_api_schema.py runs it."""

SNIPPETS = [
    block
    for page in PAGES
    for block in blocks(page)
    if block.language == "python" and not page.read_text("utf-8").partition(block.text)[0].endswith(SERVED + "python\n")
]


def title(block: Block) -> str:
    """The heading that a snippet stands below."""
    before = block.page.read_text("utf-8").partition(block.text)[0]
    return before.rpartition("\n## ")[2].partition("\n")[0]


@pytest.mark.parametrize("block", SNIPPETS, ids=title)
def test_a_snippet_runs_as_it_stands(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHAMMAH_HOME", str(tmp_path / "home"))
    assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(block.text))), "it shows that it works"
    exec(compile(block.text, f"{block.page.name}: {title(block)}", "exec"), {"__name__": "__main__"})


def test_there_is_a_snippet_for_each_kind_of_part() -> None:
    assert [title(block) for block in SNIPPETS] == [
        "Another divergence",
        "Another learner",
        "Another generator",
        "A command",
        "A model in the catalog",
        "A job for the background",
    ]
