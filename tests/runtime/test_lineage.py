"""Each adapter stands below what was active when it was trained."""

import pytest

from shammah.lineage import family, parents, tree
from shammah.records.adapters import Adapter


def made(*rows: str) -> list[Adapter]:
    """Adapters by `name<parent`, in the order of their making; one in capitals came from outside."""
    found = []
    for place, row in enumerate(rows):
        name, _, parent = row.partition("<")
        training = None if name.isupper() else place + 1
        found.append(Adapter(name, "base", "", "", parent or None, {}, f"2026-01-{place + 1:02}", training))
    return found


def drawn(*rows: str) -> list[str]:
    lines = []
    for branch in tree(made(*rows)):
        others = f" ({' '.join(branch.others)})" if branch.others else ""
        lines.append(f"{branch.line}{branch.adapter.name}{others}")
    return lines


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        (["a"], ["a"]),
        (["a", "b<a", "c<b"], ["a", "└─ b", "   └─ c"]),
        (["a", "b<a", "c<a", "d<b"], ["a", "├─ b", "│  └─ d", "└─ c"]),
        (["a", "b", "c<a"], ["a", "└─ c", "b"]),
        (["a", "b", "c<a+b"], ["a", "└─ c (b)", "b"]),  # two were active: it stands below the first
        (["b", "c<a+b"], ["b", "└─ c (a)"]),  # a is gone
        (["c<a"], ["c (a)"]),
        (["c<a", "a"], ["c (a)", "a"]),  # another a came later
        (["a", "C<a"], ["a", "C (a)"]),  # what C calls so was in another home
        (["A", "b<A"], ["A", "└─ b"]),
    ],
)
def test_the_tree_is(rows: list[str], expected: list[str]) -> None:
    assert drawn(*rows) == expected


def test_an_adapter_of_another_base_is_no_parent() -> None:
    a, b = made("a", "b<a")
    other = Adapter(a.name, "another", "", "", None, {}, a.created, 1)
    assert parents(b, [other, b]) == []
    assert parents(b, [a, b]) == [a]


def test_a_family_is_all_that_an_adapter_comes_from_and_all_that_came_from_it() -> None:
    adapters = made("a", "b<a", "c", "d<b+c", "e<d", "f<b", "g")
    by_name = {adapter.name: adapter for adapter in adapters}

    def names(name: str) -> str:
        return "".join(one.name for one in family(by_name[name], adapters))

    assert [names(name) for name in "abcdefg"] == ["abdef", "abdef", "cde", "abcde", "abcde", "abf", "g"]
