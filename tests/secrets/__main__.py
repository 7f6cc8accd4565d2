"""`python -m tests.secrets`: recall by halves, and the harmless prompts that are touched.

`--failures` shows what went wrong in the tuning half; nothing shows it of the held-out half. `--prompts FILE` adds
harmless prompts: JSON lines with a `query` or a `prompt`.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.secrets import harmless
from tests.secrets.measure import Recall, Touched, recall, touched


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.secrets")
    parser.add_argument("--failures", action="store_true")
    parser.add_argument("--one-in", type=int, default=1, help="a sample of secrets and ordinary prompts, for speed")
    parser.add_argument("--prompts", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    found = recall(given.one_in)
    harm = {
        "tricky": touched(harmless.tricky()),
        "ordinary": touched(harmless.ordinary(), given.one_in),
        "given": touched(_given(given.prompts), given.one_in),
    }
    lines = [*_failures(found, harm)] if given.failures else []
    sys.stdout.write("\n".join([*lines, *_table(found, harm), ""]))


def _table(found: Recall, harm: dict[str, Touched]) -> Iterator[str]:
    yield f"secrets found: providers and framings of the tuning half  {found.of_tuning}"
    yield f"               held-out providers, all framings           {found.of_held_out_providers}"
    yield f"               all providers, held-out framings           {found.of_held_out_framings}"
    yield f"               held-out providers in held-out framings    {found.of_both_held_out}"
    for name, result in harm.items():
        yield f"harmless prompts touched ({name}): tuning half {result.share(False)}, held out {result.share(True)}"


def _failures(found: Recall, harm: dict[str, Touched]) -> Iterator[str]:
    for case, redacted in found.failures:
        yield f"{case.provider.name}/{case.provider.kind} in {case.framing.name}: {redacted!r}"
    for name, result in harm.items():
        yield from (f"touched ({name}): {text!r}" for text in result.failures)


def _given(files: list[Path]) -> Iterator[str]:
    for file in files:
        for line in file.read_text().splitlines():
            row = json.loads(line)
            yield row.get("query") or row["prompt"]


if __name__ == "__main__":
    main()
