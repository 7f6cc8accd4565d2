"""Under which licence each package comes, and which licences we take."""

import re
from collections.abc import Iterator, Sequence

from tests.supply.closure import CORE, ROOT, Package

PAGE = ROOT / "docs" / "licences.md"
BEGIN, END = "<!-- licences -->", "<!-- /licences -->"

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CNRI-Python",
        "HPND",
        "ISC",
        "LicenseRef-Public-Domain",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    }
)
"""SPDX names; `BSD` is said by packages that do not say which of them."""

_WORDS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "ISC license": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "LicenseRef-Public-Domain",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""How packages say it that do not say it in SPDX's words."""


def licence_of(package: Package) -> str:
    """A package's licence as an SPDX expression, as far as it says one; empty where it says nothing."""
    if expression := _said(package, "License-Expression"):
        return expression[0]
    classifiers = [row.split(" :: ")[-1] for row in _said(package, "Classifier")]
    text = ("".join(_said(package, "License")).strip().splitlines() or [""])[0]
    # Of several classifiers the user may choose; a text says more than "BSD License" does.
    known = [_WORDS[row] for row in classifiers if row in _WORDS]
    if text in ALLOWED or " AND " in text or " OR " in text:
        return text
    return " OR ".join(dict.fromkeys(known)) or _WORDS.get(text, text)


def _said(package: Package, field: str) -> list[str]:
    return [str(row) for row in package.found.metadata.get_all(field) or ()]


def is_allowed(expression: str) -> bool:
    """Whether a licence is one that we take: all that is joined by AND, one of what is joined by OR."""
    bare = re.sub(r" WITH [\w.-]+", "", expression)
    if "(" in bare:  # rare: then all that is named is to be taken
        return set(re.findall(r"[\w.+-]+", bare)) - {"AND", "OR"} <= ALLOWED
    return any(all(word in ALLOWED for word in part.split(" AND ")) for part in bare.split(" OR "))


def written(page: str, packages: Sequence[Package]) -> str:
    """The page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = "\n".join(_table(packages))
    return f"{before}{BEGIN}\n\n{rows}\n{END}{after}"


def _table(packages: Sequence[Package]) -> Iterator[str]:
    for title, is_core in (("Brought by the core", True), ("Brought by extras alone", False)):
        yield from (f"## {title}", "", "| Package | Licence | For |", "| --- | --- | --- |")
        for package in packages:
            if (CORE in package.parts) == is_core:
                name = f"**{package.name}**" if package.is_direct else package.name
                yield f"| {name} | {licence_of(package)} | {', '.join(package.parts)} |"
        yield ""
