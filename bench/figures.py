"""How long counting all figures of a long journal takes, beside reading each question and answer once."""

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench import table
from bench.measure import Row, alternate, watching
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES
from shammah.journal import Journal
from shammah.journal.counted import Scope
from shammah.settings import Settings
from shammah.stats.figures import gather

QUESTIONS, DAYS, ROUNDS = 10_000, 120, 9
AIM_MS = 500.0
LINEAGE = "f" * 64
EMBEDDING = 384
JUDGED_SHARE = 0.3

_QUESTION = (
    "INSERT INTO questions (number, id, created, session, lineage, text, context, may_go_online, is_counted, features,"
    " embedding, feature_version, router_probability, propensity) VALUES (?, ?, ?, '', ?, ?, ?, 1, 1, ?, ?, 1, ?, ?)"
)
_ANSWER = (
    "INSERT INTO answers (id, question, created, side, is_shown, text, reason, finish, model, adapters, is_verified,"
    " validator_probability, features, feature_version, prompt_tokens, completion_tokens, seconds, cost_usd,"
    " divergence, method) VALUES (?, ?, ?, ?, ?, ?, ?, 'stop', 'm', '[]', 1, ?, ?, 1, 100, 50, ?, ?, ?, ?)"
)
_LESSON = (
    "INSERT INTO lessons (created, head, lineage, question, answer, is_good, weight, source)"
    " VALUES (?, ?, ?, ?, ?, ?, 0.5, 'semantic')"
)


def fill(home: Path, questions: int) -> None:
    """Write a journal as long use leaves it: both sides answer a third of the questions, and one side the rest."""
    chance = random.Random(0)
    start = datetime.now(UTC) - timedelta(days=DAYS)
    with Journal(home) as journal, journal._db.write() as db:
        for number in range(1, questions + 1):
            moment = start + timedelta(days=DAYS) * (number / questions)
            _write(db, number, moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"), chance)


def _write(db: sqlite3.Connection, number: int, created: str, chance: random.Random) -> None:
    """One question with all that came of it."""
    text = "how do I " + "x" * chance.randint(20, 200)
    context = json.dumps([{"role": "user", "content": text}])
    hand, embedding, answered = (
        bytes(4 * width) for width in (len(QUESTION_FEATURES), EMBEDDING, len(ANSWER_FEATURES))
    )
    p, is_local, is_judged = chance.random(), chance.random() < 0.6, chance.random() < JUDGED_SHARE
    db.execute(_QUESTION, (number, f"{number:010}", created, LINEAGE, text, context, hand, embedding, p, JUDGED_SHARE))
    is_good, local = chance.random() < p, 2 * number
    seconds, answer = (
        json.dumps({"local": chance.random(), "total": 1 + chance.random()}),
        "y" * chance.randint(50, 2000),
    )
    if is_local or is_judged:
        compared = (chance.random(), "semantic") if is_judged else (None, None)
        reason = "local_confident" if is_local else "sampled"
        db.execute(
            _ANSWER, (local, number, created, "local", is_local, answer, reason, p, answered, seconds, None, *compared)
        )
    if not is_local or is_judged:
        reason = "sampled" if is_local else "low_confidence"
        shown = not is_local
        values = (local + 1, number, created, "teacher", shown, answer, reason, None, None, seconds, 0.001, None, None)
        db.execute(_ANSWER, values)
        db.execute(
            "INSERT INTO spending (day, usd, is_settled, question) VALUES (?, 0.001, 1, ?)", (created[:10], number)
        )
    if is_judged:
        for head in ("router", "validator"):
            db.execute(_LESSON, (created, head, LINEAGE, number, local, is_good))


def rows(questions: int, rounds: int) -> Iterator[Row]:
    """All figures of a journal, and those of its last seven days."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home, questions)
        with Journal(home) as journal:
            for name, since in (("all days", None), ("the last 7 days", date.today() - timedelta(days=6))):
                yield _row(f"figures of {questions:,} questions, {name}", journal, home, Scope(since), rounds)


def _row(name: str, journal: Journal, home: Path, scope: Scope, rounds: int) -> Row:
    with watching() as others:
        pairs = alternate(
            lambda: _milliseconds(lambda: gather(journal, Settings(home), scope, None, date.today())),
            lambda: _milliseconds(lambda: _read_once(journal)),
            rounds,
        )
    median, once = statistics.median(pairs.ours), statistics.median(pairs.theirs)
    return Row(
        name=name,
        value=median,
        low=min(pairs.ours),
        high=max(pairs.ours),
        unit="ms",
        aim=f"< {AIM_MS:g}",
        is_reached=median < AIM_MS,
        detail=f"{pairs.ratio:.2f} of reading each question and answer once ({once:.0f} ms)",
        others=others.cores,
    )


def _read_once(journal: Journal) -> None:
    """What counting would take at least, if it read whole rows: every question with its answers."""
    journal._db.execute("SELECT * FROM questions q JOIN answers a ON a.question = q.number").fetchall()


def _milliseconds(work: Callable[[], object]) -> float:
    """Of the processor: a figure of the machine's load would say nothing of the work."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def main() -> None:
    """Print both rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=__doc__)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    options = parser.parse_args()
    table.show(rows(options.questions, ROUNDS), threads=1)


if __name__ == "__main__":
    main()
