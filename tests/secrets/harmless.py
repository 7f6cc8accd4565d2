"""Prompts without a secret: tricky ones that were written down, and those of this repository."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shammah
from tests.secrets.drawing import draw

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]


def tricky() -> Iterator[str]:
    """Prompts that hold hashes, ids, long names, and much talk of keys and passwords."""
    for number, text in enumerate((_HERE / "harmless.txt").read_text().split("\n%%\n")):
        yield draw(text.strip("\n"), str(number)).text


def ordinary() -> Iterator[str]:
    """The general questions, and those of the seedling's corpus and evaluation, a line each."""
    for file in sorted((Path(shammah.__file__).parent / "prompts").glob("*.jsonl")):
        for line in file.read_text().splitlines():
            yield json.loads(line)["prompt"]
    for file in sorted((_ROOT / "models/seedling").rglob("*.toml")):
        yield from _lines(tomllib.loads(file.read_text()))


def _lines(found: Any) -> Iterator[str]:
    if isinstance(found, str):
        yield from filter(None, found.splitlines())
    elif isinstance(found, dict):
        yield from _lines(list(found.values()))
    elif isinstance(found, list):
        for each in found:
            yield from _lines(each)
