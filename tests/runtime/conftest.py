"""A journal of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shammah.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal
