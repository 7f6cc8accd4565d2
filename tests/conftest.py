"""What the whole suite goes by."""

import os
from collections.abc import Iterator

import pytest

# These wait for trainings, which work at idle priority: begun last, they would be waited for by nobody but themselves.
FIRST = ("tests/whole/test_train.py", "tests/whole/test_launch.py", "tests/whole/test_resume.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those that wait begin first; all else stays in its order."""
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


@pytest.fixture(autouse=True)
def _usual_rights() -> Iterator[None]:
    """A command that a test runs in its own process leaves no narrower rights to the next test's files."""
    before = os.umask(0o022)
    yield
    os.umask(before)
