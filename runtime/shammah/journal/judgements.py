"""Judgements: what the teacher said of two answers that it could not tell apart by their authors."""

from dataclasses import asdict

from shammah.database import Database
from shammah.records.questions import Answer, Judgement
from shammah.rows import now


class Judgements:
    """The judge's grades, each with its seed and its cost."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(self, judgement: Judgement) -> None:
        """Keep a judgement."""
        row = asdict(judgement) | {"created": now()}
        with self._db.write() as db:
            db.execute(
                f"INSERT INTO judgements ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})", row
            )

    def of(self, local: Answer) -> Judgement | None:
        """The newest judgement of a local answer; None where it never had one."""
        row = self._db.execute(
            "SELECT * FROM judgements WHERE local = ? ORDER BY id DESC LIMIT 1", (local.id,)
        ).fetchone()
        if row is None:
            return None
        values = {name: row[name] for name in Judgement.__slots__}
        return Judgement(**values | {"local_is_first": bool(values["local_is_first"])})

    def rejected_for(self, example: str) -> str | None:
        """The local answer that was graded lower than the teacher's answer which is an example's target.

        None where the judge said nothing of it, or no less; the last judgement counts.
        """
        row = self._db.execute(
            "SELECT a.text, j.local_grade < j.teacher_grade AS is_worse FROM judgements j"
            " JOIN examples e ON e.answer = j.teacher JOIN answers a ON a.id = j.local"
            " WHERE e.id = ? AND e.source = 'teacher' AND e.rating IS NULL ORDER BY j.id DESC LIMIT 1",
            (example,),
        ).fetchone()
        return str(row["text"]) if row is not None and row["is_worse"] and row["text"] else None
