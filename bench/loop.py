"""The loop, from an empty home: ten critical corrections, one training, and the same questions again.

`python -m bench.loop` prints the seconds, how many come back as corrected, and what it did to the seedling's own
evaluation. It runs the command line, as a user does.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from models.seedling.evaluate import evaluate
from models.seedling.phrasings import read_cases, read_out_of_scope, training_intents
from shammah import adapters
from shammah.bases import SEEDLING
from shammah.journal import Journal
from shammah.local import LocalModel

CORRECTIONS = Path(__file__).with_name("corrections.jsonl")


def corrections() -> list[tuple[str, str]]:
    """The questions, each with the answer that is wanted."""
    rows = map(json.loads, CORRECTIONS.read_text("utf-8").splitlines())
    return [(row["prompt"], row["answer"]) for row in rows]


def shammah(home: Path, *arguments: str) -> str:
    """Run a command of a home, offline and without the background; its stdout.

    Raises:
        CalledProcessError: It failed.
    """
    settings = {"SHAMMAH_HOME": str(home), "SHAMMAH_OFFLINE": "1", "SHAMMAH_WORKER_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "shammah", *arguments],
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def correct(home: Path, wanted: list[tuple[str, str]]) -> None:
    """Ask each question, and say what should have been answered."""
    for question, answer in wanted:
        shammah(home, "ask", question)
        shammah(home, "feedback", "critical", "--answer", answer)


def right_again(home: Path, wanted: list[tuple[str, str]]) -> int:
    """How many questions are answered as corrected, to the letter."""
    return sum(shammah(home, "ask", question).strip() == answer for question, answer in wanted)


def own_evaluation(home: Path) -> tuple[float, float]:
    """The seedling's share of right answers and of refusals with what is active in a home."""
    with Journal(home) as journal, LocalModel(SEEDLING, gpu_layers=0) as model:
        base = journal.base_at(SEEDLING)
        model.apply(adapters.active_files(journal, base.sha256) if base else [])
        report = evaluate(model, training_intents(), read_cases(), read_out_of_scope())
    return report.right_share, report.refused_share


def main() -> None:
    """Play the loop and print what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        home, wanted = Path(folder), corrections()
        correct(home, wanted)
        before = own_evaluation(home)
        started = time.monotonic()
        print(shammah(home, "train").splitlines()[-1])
        print(f"train: {time.monotonic() - started:.1f} s (aim: at most 180)")
        print(f"answered as corrected: {right_again(home, wanted)} of {len(wanted)} (aim: at least 9)")
        after = own_evaluation(home)
        print(f"the seedling's own evaluation: {before[0]:.1%} -> {after[0]:.1%} right (aim: at most 2 points less),")
        print(f"{before[1]:.1%} -> {after[1]:.1%} refused")


if __name__ == "__main__":
    main()
