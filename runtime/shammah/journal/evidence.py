"""What the quality contract rests on: local answers that were judged, with what the heads had said of them."""

import sqlite3
from collections.abc import Sequence

from shammah.contract import Evidence
from shammah.database import Database
from shammah.divergence import LABEL_WEIGHTS, Method
from shammah.learners import DEFAULT_KIND, Kind
from shammah.records.heads import View

USER = "user"
# Of labels by similarity the best known counts in full.
_FULL_WEIGHT = LABEL_WEIGHTS[Method.SEMANTIC]


def judged(db: Database, lineage: str, most: int, views: Sequence[View], learner: Kind) -> list[Evidence]:
    """The newest judged local answers of a base lineage, oldest first; no more than `most` lessons are read.

    What either head does not learn from any more, after a reset or a rollback, tells nothing of what it says now, and
    what heads of another learner said nothing of this one's.

    The last word on an answer counts, a user's before any other. An answer that one of the heads was not asked about
    tells nothing of its thresholds, and is left out.
    """
    found = db.execute(
        "SELECT l.id, l.answer, l.is_good, l.source, l.weight, q.router_probability AS router,"
        " a.validator_probability AS validator, q.propensity"
        " FROM (SELECT * FROM lessons WHERE head = 'router' AND lineage = ? ORDER BY id DESC LIMIT ?) l"
        " JOIN answers a ON a.id = l.answer JOIN questions q ON q.number = l.question"
        " WHERE a.side = 'local' AND q.is_counted AND a.validator_probability IS NOT NULL"
        " AND q.router_probability IS NOT NULL AND coalesce(q.learner, ?) = ? ORDER BY l.source = ?, l.id",
        (lineage, most, DEFAULT_KIND, learner, USER),
    )
    last = {row["answer"]: row for row in found if all(view.holds(row["id"]) for view in views)}
    return [_evidence(row) for row in sorted(last.values(), key=lambda row: int(row["id"]))]


def _evidence(row: sqlite3.Row) -> Evidence:
    return Evidence(
        router=row["router"],
        validator=row["validator"],
        is_bad=not row["is_good"],
        # A rating by a person who was not drawn stands for its answer alone.
        propensity=1.0 if row["propensity"] is None or row["source"] == USER else row["propensity"],
        trust=min(1.0, row["weight"] / _FULL_WEIGHT),
        is_certain=row["source"] in (USER, Method.JUDGE),
    )
