"""What the tests of the pages share."""

from collections.abc import Iterator

import pytest

from tests.docs.prepared import House, house


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home in which every command has something to do; whoever changes it restores it first."""
    with house(tmp_path_factory.mktemp("docs")) as made:
        yield made
