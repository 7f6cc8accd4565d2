"""The pages lead where they say, and say where everything is."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, blocks, links, spans

OWN = re.compile(r"shammah(_convert|_trainer)?(\.\w+)+")
SPAN_ATTRIBUTES = {"shammah.route", "shammah.reason", "shammah.adapters"}
"""What OpenTelemetry hears of, by names that look like modules."""

HOUSE = ROOT / "docs" / "house.md"
ROOMS = ("runtime/shammah", "convert/shammah_convert", "trainer/shammah_trainer")


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_within_the_house_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https:"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_name_of_the_code_is_one(page: Path) -> None:
    for span in spans(page):
        if OWN.fullmatch(span) and span not in SPAN_ATTRIBUTES and not span.endswith((".db", ".gguf")):
            found(span)


def found(name: str) -> Any:
    """What a dotted name stands for: a module, or what is in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: Any = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            fields = getattr(value, "__dataclass_fields__", {})
            value = fields[part].default if part in fields else getattr(value, part)
        return value
    raise AssertionError(f"{name} is nothing")


def test_every_page_is_in_the_index_and_in_the_readme() -> None:
    index = ROOT / "docs" / "README.md"
    pages = {page.name for page in PAGES if page.parent == ROOT / "docs"} - {"README.md"}
    assert pages <= {link.partition("#")[0] for link in links(index)}
    assert pages <= {link.partition("#")[0].removeprefix("docs/") for link in links(ROOT / "README.md")}


def test_every_file_that_a_page_names_is_there() -> None:
    for page in PAGES:
        for span in spans(page):
            if re.fullmatch(r"(runtime|convert|trainer|tests|bench|docs|models)/[\w./-]*", span):
                assert (ROOT / span).exists(), f"{names(page)}: {span}"


def tree() -> str:
    (block,) = [block for block in blocks(HOUSE) if not block.language]
    return block.text


def test_every_module_stands_in_the_tree() -> None:
    named = set(re.findall(r"[\w/]+(?:\.py|/)", tree()))
    modules = {path.name for room in ROOMS for path in (ROOT / room).glob("*.py") if not path.name.startswith("__")}
    folders = {f"{path.name}/" for room in ROOMS for path in (ROOT / room).iterdir() if (path / "__init__.py").exists()}
    missing = (modules | folders) - named
    assert not missing, "docs/house.md says nothing of them"


def test_every_name_in_the_tree_is_a_file() -> None:
    files = {path.name for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    for name in re.findall(r"\b(\w+\.py)\b", tree()):
        assert name in files, f"{name} stands in docs/house.md, and is nowhere"


def test_the_readme_is_short_and_shows_the_loop_first() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) < 200
    first_screen = "\n".join(readme.splitlines()[:45])
    for word in ("docs/pictures/loop.svg", "shammah ask --offline", "shammah feedback critical", "shammah train"):
        assert word in first_screen
    assert re.findall(r"<!-- command: (\w+) -->", readme) == ["loop", "main", "test"], ".ci/run reads these three"
