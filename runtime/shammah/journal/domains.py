"""Domains: what adapters are for, what they have learnt, and what was corrected since."""

import sqlite3
from collections.abc import Mapping, Sequence

from shammah import rows
from shammah.database import Database
from shammah.features import Vector
from shammah.generation import ActiveSet
from shammah.records.adapters import Domain
from shammah.records.examples import Learnt, Rating
from shammah.records.questions import Question
from shammah_convert.chat import Message


class Domains:
    """The domains of a home; an adapter has one at most, which is renamed and deleted with it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self, base: str | None = None) -> list[Domain]:
        """The domains of a base's adapters, or of all, by name."""
        found = self._db.execute(
            "SELECT d.* FROM domains d JOIN adapters a ON a.name = d.adapter WHERE a.base = coalesce(?, a.base)"
            " ORDER BY d.adapter",
            (base,),
        )
        return [_domain(row) for row in found]

    def of(self, adapter: str) -> Domain | None:
        """The domain of an adapter."""
        row = self._db.execute("SELECT * FROM domains WHERE adapter = ?", (adapter,)).fetchone()
        return _domain(row) if row else None

    def tie(self, domain: Domain) -> bool:
        """Give an adapter a domain, in the place of another; False where the adapter is gone."""
        with self._db.write() as db:
            if not db.execute("SELECT 1 FROM adapters WHERE name = ?", (domain.adapter,)).fetchone():
                return False
            values = (domain.adapter, domain.created, rows.blob(domain.centroid), domain.reach, domain.questions)
            db.execute(
                "INSERT OR REPLACE INTO domains (adapter, created, centroid, reach, questions) VALUES (?, ?, ?, ?, ?)",
                values,
            )
        return True

    def untie(self, adapter: str) -> bool:
        """Take an adapter's domain from it; False where it had none."""
        with self._db.write() as db:
            return db.execute("DELETE FROM domains WHERE adapter = ?", (adapter,)).rowcount == 1

    def learnt(self, active: ActiveSet) -> list[Learnt] | None:
        """The questions that these adapters have learnt, of examples that are live still.

        None where of one of them it is not known what it has learnt: it came from outside, or was trained while such
        a one was active and may go on from it.
        """
        names = [name for name, _ in active]
        if any(self._is_from_outside(name) for name in names):
            return None
        trainings = f"SELECT training FROM adapters WHERE name IN ({', '.join('?' * len(names))})"
        return self._learnt(f"t.training IN ({trainings})", names)

    def learnt_in(self, training: int) -> list[Learnt]:
        """The questions that a training learns, of examples that are live still."""
        return self._learnt("t.training = ?", [training])

    def _learnt(self, where: str, values: Sequence[str | int]) -> list[Learnt]:
        found = self._db.execute(
            "SELECT DISTINCT e.id, e.prompt, coalesce(e.embedding, q.embedding) AS embedding FROM trained_examples t"
            " JOIN examples e ON e.id = t.example AND e.state = 'live' LEFT JOIN answers w ON w.id = e.answer"
            f" LEFT JOIN questions q ON q.number = w.question WHERE t.is_learnt AND {where} ORDER BY e.rowid",
            tuple(values),
        )
        return [
            Learnt(row["id"], rows.load_messages(row["prompt"])[-1].content, rows.vector(row["embedding"]))
            for row in found
        ]

    def note_embeddings(self, made: Mapping[str, Vector]) -> None:
        """Keep the embeddings of examples' questions, by the examples' ids."""
        with self._db.write() as db:
            db.executemany(
                "UPDATE examples SET embedding = ? WHERE id = ?", [(rows.blob(each), id) for id, each in made.items()]
            )

    def prompts(self, adapter: str) -> list[tuple[Message, ...]]:
        """The conversations that an adapter has learnt to go on with, as far as they are still known."""
        found = self._db.execute(
            "SELECT e.prompt FROM adapters a JOIN trained_examples t ON t.training = a.training AND t.is_learnt"
            " JOIN examples e ON e.id = t.example WHERE a.name = ? ORDER BY e.rowid",
            (adapter,),
        )
        return [rows.load_messages(row["prompt"]) for row in found]

    def _is_from_outside(self, name: str) -> bool:
        """Whether an adapter, or one that was active when it was trained, or when that was, came from outside."""
        waiting, seen = [name], set[str]()
        while waiting:
            one = waiting.pop()
            row = self._db.execute("SELECT training, parent FROM adapters WHERE name = ?", (one,)).fetchone()
            if row is not None and row["training"] is None:
                return True
            seen.add(one)
            parents = row["parent"].split("+") if row is not None and row["parent"] else []
            waiting += [parent for parent in parents if parent not in seen]
        return False

    def learnt_elsewhere(self, domain: Domain, active: ActiveSet) -> list[Question]:
        """Questions whose live corrections these adapters have learnt, and a domain's adapter has not.

        An answer that a user called good is none: whoever gave it can go on.
        """
        marks = ", ".join("?" * len(active))
        found = self._db.execute(
            "SELECT DISTINCT q.* FROM adapters a JOIN trained_examples t ON t.training = a.training AND t.is_learnt"
            " JOIN examples e ON e.id = t.example AND e.state = 'live' LEFT JOIN ratings r ON r.id = e.rating"
            " JOIN answers w ON w.id = e.answer JOIN questions q ON q.number = w.question"
            f" WHERE a.name IN ({marks}) AND (r.rating != ? OR (r.id IS NULL AND e.source = 'user'))"
            " AND NOT EXISTS (SELECT 1 FROM trained_examples o JOIN adapters d ON d.training = o.training"
            " WHERE d.name = ? AND o.is_learnt AND o.example = e.id) ORDER BY q.number",
            (*(name for name, _ in active), Rating.GOOD, domain.adapter),
        )
        return [rows.to_question(row) for row in found]


def _domain(row: sqlite3.Row) -> Domain:
    centroid = rows.vector(row["centroid"])
    assert centroid is not None, "the column is never empty"
    return Domain(row["adapter"], centroid, float(row["reach"]), int(row["questions"]), row["created"])
