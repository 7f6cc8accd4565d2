"""The watch over a promoted adapter: how its answers turned out, and the rollback where they became worse."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping

from shammah.database import Database
from shammah.divergence import Method
from shammah.generation import ActiveSet
from shammah.journal.adapters import activation_before, active_set, go_back, newest_activation
from shammah.journal.notices import insert_notice
from shammah.journal.trainings import PROMOTION
from shammah.records.adapters import Adapter, Counts, Judged, Watched

TAKEN_BACK = "watch: "
"""How the reason of a rollback by the watch begins."""

USER = "user"


class Watch:
    """What is watched in a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def promotion(self, base: str) -> Watched | None:
        """The promotion that holds for a base; None where a user or a rollback chose what is active, or nothing did."""
        newest, before = newest_activation(self._db, base), activation_before(self._db, base)
        if newest is None or before is None or not newest["why"].startswith(PROMOTION.format("")):
            return None
        return Watched(newest["number"], base, newest["last_answer"], active_set(newest), active_set(before))

    def judged(self, watched: Watched) -> list[Judged]:
        """How local answers turned out with what was active before a promotion, and since: by users, by comparison.

        The last word on an answer counts, a user's before any other. A comparison by words alone is a guess, and
        is left out: it would come and go with the embedder.
        """
        found = self._db.execute(
            "SELECT l.answer, l.is_good, l.source = ? AS by_user, a.adapters = ? AS is_after"
            " FROM lessons l JOIN answers a ON a.id = l.answer"
            " WHERE l.head = 'router' AND l.lineage = ? AND l.source != ? AND a.side = 'local'"
            " AND ((a.adapters = ? AND a.id > ?) OR (a.adapters = ? AND a.id <= ?)) ORDER BY by_user, l.id",
            (
                USER,
                json.dumps(watched.active),
                watched.base,
                Method.BLEU,
                json.dumps(watched.active),
                watched.last_answer,
                json.dumps(watched.before),
                watched.last_answer,
            ),
        )
        last = {row["answer"]: row for row in found}
        return [_judged([row for row in last.values() if row["by_user"] == by_user]) for by_user in (True, False)]

    def take_back(self, watched: Watched, why: str, notice: str) -> ActiveSet | None:
        """Go back from a promotion, with a notice, all or nothing; None where it holds no longer."""
        with self._db.write() as db:
            newest, before = newest_activation(db, watched.base), activation_before(db, watched.base)
            if before is None or newest is None or newest["number"] != watched.number:
                return None
            go_back(db, before, TAKEN_BACK + why)
            insert_notice(db, notice)
        return active_set(before)

    def taken_back(self, adapter: Adapter) -> str:
        """Why the watch went back from an adapter last; empty where it never did."""
        found = self._db.execute(
            "SELECT why, lag(adapters) OVER (ORDER BY number) AS adapters FROM activations"
            " WHERE base = ? AND number > (SELECT last_activation FROM adapters WHERE name = ?) ORDER BY number DESC",
            (adapter.base, adapter.name),
        )
        reasons = (row["why"].removeprefix(TAKEN_BACK) for row in found if _is_taken_back(row, adapter.name))
        return next(reasons, "")


def _is_taken_back(row: sqlite3.Row, name: str) -> bool:
    return row["why"].startswith(TAKEN_BACK) and any(name == one for one, _ in json.loads(row["adapters"] or "[]"))


def _judged(rows: "list[sqlite3.Row]") -> Judged:
    counted = Counter((bool(row["is_after"]), bool(row["is_good"])) for row in rows)
    return Judged(_counts(counted, is_after=False), _counts(counted, is_after=True))


def _counts(counted: Mapping[tuple[bool, bool], int], is_after: bool) -> Counts:
    bad = counted[is_after, False]
    return Counts(bad, bad + counted[is_after, True])
