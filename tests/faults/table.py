"""The table of promises in `docs/reliability.md`, one row each, with what the last full run saw."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.faults.promise import Promise

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- promises -->", "<!-- /promises -->"
NOT_RUN = "not run in full yet"
_ROW = re.compile(r"^\| .* \| `python -m tests\.faults (?P<name>\S+) --full` \| (?P<seen>.*) \|$")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a full run saw."""

    trials: int
    words: str
    seed: int
    commit: str
    date: str

    def in_words(self, unit: str) -> str:
        """As the table has it."""
        words = f": {self.words}" if self.words else ""
        return f"{self.trials:,} {unit}{words} (seed {self.seed}, {self.commit}, {self.date})"


def written(page: str, promises: Sequence[Promise], seen: Mapping[str, str]) -> str:
    """The page with its table made anew; what this run did not see stays as it was seen before."""
    before, _, rest = page.partition(BEGIN)
    old, _, after = rest.partition(END)
    known = {**_known(old.splitlines()), **seen}
    rows = "\n".join(_table(promises, known))
    return f"{before}{BEGIN}\n\n{rows}\n{END}{after}"


def _known(lines: Iterable[str]) -> dict[str, str]:
    rows = (_ROW.match(line) for line in lines)
    return {row["name"]: row["seen"] for row in rows if row}


def _table(promises: Sequence[Promise], seen: Mapping[str, str]) -> Iterator[str]:
    for part, rows in groupby(promises, key=lambda promise: promise.part):
        yield from (f"### {part}", "", "| Promise | Proved by | Last full run |", "| --- | --- | --- |")
        for row in rows:
            yield f"| {row.claim} | `python -m tests.faults {row.name} --full` | {seen.get(row.name, NOT_RUN)} |"
        yield ""
