"""The loop, from an empty home: ten critical corrections, one training, and the same questions again.

`python -m bench.loop` prints the seconds, how many come back as corrected, how many do in other words, and what it did
to the seedling's own evaluation. `--rounds 5` goes on with ten more corrections and a training, four times, and asks
the first ones again. It runs the command line, as a user does.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.seedling.evaluate import evaluate
from models.seedling.phrasings import read_cases, read_out_of_scope, training_intents
from shammah import config
from shammah.assembly import Parts
from shammah.generation import Generator, Sampling, collect
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah_convert.chat import Message

CORRECTIONS, PARAPHRASES, ROUNDS = (
    Path(__file__).with_name(f"{name}.jsonl") for name in ("corrections", "paraphrases", "rounds")
)
"""Ten corrections; five other ways to put each, by hand, frozen before anything was tuned; four rounds of ten more."""


def corrections() -> list[tuple[str, str]]:
    """The questions, each with the answer that is wanted."""
    return [(row["prompt"], row["answer"]) for row in _rows(CORRECTIONS)]


def paraphrases() -> list[tuple[str, str]]:
    """The same questions in other words, which nothing is trained on, each with the answer that is wanted."""
    wanted = dict(corrections())
    return [(row["prompt"], wanted[row["of"]]) for row in _rows(PARAPHRASES)]


def later_rounds() -> list[list[tuple[str, str]]]:
    """The corrections of the rounds after the first."""
    rows = list(_rows(ROUNDS))
    numbers = sorted({row["round"] for row in rows})
    return [[(row["prompt"], row["answer"]) for row in rows if row["round"] == number] for number in numbers]


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, file.read_text("utf-8").splitlines())


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


@contextmanager
def served(home: Path) -> Iterator[Generator]:
    """The seedling with what is active in a home, where that suits the question."""
    settings = config.load({"SHAMMAH_HOME": str(home), "SHAMMAH_OFFLINE": "1"}, model__gpu_layers=0)
    with Journal(home) as journal:
        parts = Parts(settings, journal, BusyMeter())
        try:
            yield parts.local().open()
        finally:
            parts.close()


def own_evaluation(home: Path) -> tuple[float, float]:
    """The seedling's share of right answers and of refusals."""
    with served(home) as model:
        report = evaluate(model, training_intents(), read_cases(), read_out_of_scope())
    return report.right_share, report.refused_share


def understood(home: Path) -> tuple[int, int, int]:
    """Of so many paraphrases, how many are answered as corrected to the letter, and how many in their first line."""
    with served(home) as model:
        said = [(_said(model, question), answer) for question, answer in paraphrases()]
    exact = sum(ours == answer for ours, answer in said)
    return len(said), exact, sum(_first_line(ours) == _first_line(answer) for ours, answer in said)


def _said(model: Generator, question: str) -> str:
    return collect(model.stream([Message("user", question)], Sampling())).text.strip()


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def play(home: Path, wanted: list[tuple[str, str]]) -> None:
    """Correct, train, and say how long it took and how many are answered as corrected."""
    correct(home, wanted)
    started = time.monotonic()
    print(shammah(home, "train").splitlines()[-1])
    print(f"train: {time.monotonic() - started:.1f} s")
    print(f"answered as corrected: {right_again(home, wanted)} of {len(wanted)}", flush=True)


def main() -> None:
    """Play the loop and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.loop", description=main.__doc__)
    parser.add_argument("--rounds", type=int, choices=range(1, 6), default=1)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        home, wanted = Path(folder), corrections()
        shammah(home, "ask", wanted[0][0])  # so that the home knows its base
        before = own_evaluation(home)
        play(home, wanted)
        count, exact, first_lines = understood(home)
        print(f"in other words: {exact} of {count} to the letter, {first_lines} in their first line (aim: 60%)")
        after = own_evaluation(home)
        print(f"the seedling's own evaluation: {before[0]:.1%} -> {after[0]:.1%} right (aim: at most 1 point less),")
        print(f"{before[1]:.1%} -> {after[1]:.1%} refused", flush=True)
        for more in later_rounds()[: rounds - 1]:
            play(home, more)
        if rounds > 1:
            print(f"of the first round: {right_again(home, wanted)} of {len(wanted)} (aim: 90%)")
            print(f"the seedling's own evaluation: {own_evaluation(home)[0]:.1%} right")


if __name__ == "__main__":
    main()
