"""What we depend on comes under licences that we take, and stands on the page."""

import re

import pytest
from packaging.requirements import Requirement

from tests.supply.closure import key, named, packages
from tests.supply.licences import PAGE, is_allowed, licence_of


def test_everything_that_is_installed_because_of_us_has_a_licence_that_we_take() -> None:
    odd = {package.name: licence_of(package) for package in packages() if not is_allowed(licence_of(package))}
    assert odd == {}


def test_the_page_has_every_package_that_the_project_names() -> None:
    rows = re.findall(r"^\| \*\*([a-z0-9-]+)\*\* \| ([^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name for name, _ in rows} == {key(Requirement(row).name) for rows in named().values() for row in rows}
    assert all(is_allowed(licence) for _, licence in rows)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSL-1.0", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-or-later", False),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", True),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", False),
        ("LicenseRef-Proprietary", False),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_a_licence_is_taken_where_all_of_it_is(expression: str, expected: bool) -> None:
    assert is_allowed(expression) is expected
