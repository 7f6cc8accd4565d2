"""The journal: every question, answer, lesson, example and job, in one SQLite file.

It is the only truth about what happened and what is active.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shammah import features, rows
from shammah.database import Database
from shammah.divergence import Divergence
from shammah.features import Vector
from shammah.records import Answer, Base, Job, Lesson, NewAnswer, Question
from shammah_convert.chat import Message
from shammah_convert.examples import Example

ID_BYTES = 5


def now() -> str:
    """The time, UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def today() -> str:
    """The user's day, by the local clock."""
    return time.strftime("%Y-%m-%d")


class Journal:
    """The journal, open for reading and writing; one connection, one thread."""

    def __init__(self, home: Path) -> None:
        """Open or create the journal of a home folder.

        Raises:
            JournalError: It cannot be opened, or a newer version of Shammah wrote it.
        """
        self.path = home / "shammah.db"
        self._db = Database(self.path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Questions and answers.

    def begin(
        self,
        session: str,
        lineage: str,
        context: Sequence[Message],
        redactions: int,
        may_go_online: bool,
    ) -> Question:
        """Record a question before anyone works on it; `context` is redacted and ends with the question."""
        with self._db.write() as db:
            number = db.execute(
                "INSERT INTO questions (id, created, session, lineage, text, context, may_go_online, redactions)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    _new_id(),
                    now(),
                    session,
                    lineage,
                    context[-1].content,
                    rows.dump_messages(context),
                    may_go_online,
                    redactions,
                ),
            ).lastrowid
        return self._question("number = ?", number)

    def note_route(
        self, question: Question, hand: Vector, embedding: Vector | None, router_probability: float
    ) -> Question:
        """Count a question, and record what the router saw and said."""
        with self._db.write() as db:
            db.execute(
                "UPDATE questions SET is_counted = 1, features = ?, embedding = ?, feature_version = ?,"
                " router_probability = ? WHERE number = ?",
                (rows.blob(hand), rows.blob(embedding), features.VERSION, router_probability, question.number),
            )
        return self.question_at(question.number)

    def uncount(self, question: Question) -> None:
        """Let a question not count after all: no teacher was available."""
        with self._db.write() as db:
            db.execute("UPDATE questions SET is_counted = 0 WHERE number = ?", (question.number,))

    def note_embedding(self, question: Question, embedding: Vector) -> Question:
        """Record a question's embedding, made after it was routed."""
        with self._db.write() as db:
            db.execute("UPDATE questions SET embedding = ? WHERE number = ?", (rows.blob(embedding), question.number))
        return self.question_at(question.number)

    def save(
        self,
        question: Question,
        answers: Sequence[NewAnswer],
        job: tuple[str, dict[str, Any]] | None = None,
        propensity: float | None = None,
        is_sampled: bool = False,
    ) -> list[Answer]:
        """Commit a question's answers, the examples they make and the work they leave, all or nothing.

        Every teacher answer that ended properly is an example of weight 1.
        """
        with self._db.write() as db:
            ids = [self._insert_answer(db, question, answer) for answer in answers]
            db.execute(
                "UPDATE questions SET propensity = coalesce(?, propensity), is_sampled = max(is_sampled, ?)"
                " WHERE number = ?",
                (propensity, is_sampled, question.number),
            )
            if job is not None:
                _insert_job(db, *job)
        return [self.answer(id) for id in ids]

    def _insert_answer(self, db: sqlite3.Connection, question: Question, answer: NewAnswer) -> int:
        row = asdict(answer) | {
            "question": question.number,
            "created": now(),
            "adapters": json.dumps(answer.adapters),
            "seconds": json.dumps(answer.seconds),
            "features": rows.blob(answer.features),
        }
        columns = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        number = db.execute(f"INSERT INTO answers ({columns}) VALUES ({marks})", row).lastrowid
        assert number is not None
        if answer.side == "teacher" and answer.finish == "stop" and answer.text:
            _insert_example(db, question, number, answer.text, "teacher")
        return number

    def question(self, id: str) -> Question | None:
        """A question by its public id, or by a beginning of it that fits no other."""
        found = self._db.execute(
            "SELECT id FROM questions WHERE substr(id, 1, ?) = ? LIMIT 2", (max(1, len(id)), id)
        ).fetchall()
        return self._question("id = ?", found[0]["id"]) if len(found) == 1 else None

    def question_at(self, number: int) -> Question:
        """A question by its place."""
        return self._question("number = ?", number)

    def last_question(self, session: str) -> Question | None:
        """The last answered question of a terminal session, else the last of all."""
        row = self._db.execute(
            "SELECT q.number FROM questions q JOIN answers a ON a.question = q.number AND a.is_shown"
            " ORDER BY q.session = ? DESC, q.number DESC LIMIT 1",
            (session,),
        ).fetchone()
        return self._question("number = ?", row["number"]) if row else None

    def recent(self, limit: int, words: Sequence[str] = ()) -> list[Question]:
        """The newest questions first; with words, those that hold all of them in question or shown answer."""
        clause = " AND ".join(
            "(q.text LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM answers a WHERE a.question = q.number AND a.is_shown"
            " AND a.text LIKE ? ESCAPE '\\'))"
            for _ in words
        )
        patterns = [pattern for word in words for pattern in (_like(word), _like(word))]
        found = self._db.execute(
            f"SELECT q.* FROM questions q {'WHERE ' + clause if clause else ''} ORDER BY q.number DESC LIMIT ?",
            (*patterns, limit),
        )
        return [rows.to_question(row) for row in found]

    def answers(self, question: Question) -> list[Answer]:
        """All answers to a question, oldest first."""
        found = self._db.execute("SELECT * FROM answers WHERE question = ? ORDER BY id", (question.number,))
        return [rows.to_answer(row) for row in found]

    def answer(self, id: int) -> Answer:
        """An answer by its id."""
        return rows.to_answer(self._db.execute("SELECT * FROM answers WHERE id = ?", (id,)).fetchone())

    def shown(self, question: Question) -> Answer | None:
        """The answer that the user saw."""
        return next((answer for answer in self.answers(question) if answer.is_shown), None)

    def count(self, lineage: str) -> int:
        """Questions of a base lineage for which a teacher was available and no side was forced."""
        row = self._db.execute("SELECT count(*) FROM questions WHERE lineage = ? AND is_counted", (lineage,))
        return int(row.fetchone()[0])

    # Lessons and examples.

    def teach(self, question: Question, local: Answer, divergence: Divergence, is_good: bool) -> None:
        """Record how far a local answer is from the teacher's, and the lesson that it is for both heads."""
        with self._db.write() as db:
            db.execute(
                "UPDATE answers SET divergence = ?, method = ? WHERE id = ?",
                (divergence.value, divergence.method, local.id),
            )
            for head in ("router", "validator"):
                db.execute(
                    "INSERT INTO lessons (created, head, lineage, question, answer, is_good, weight, source)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        now(),
                        head,
                        question.lineage,
                        question.number,
                        local.id,
                        is_good,
                        divergence.label_weight,
                        divergence.method,
                    ),
                )

    def lessons(self, head: str, lineage: str, after: int) -> Iterator[Lesson]:
        """The lessons of a head after a place, in order."""
        found = self._db.execute(
            "SELECT * FROM lessons WHERE head = ? AND lineage = ? AND id > ? ORDER BY id",
            (head, lineage, after),
        ).fetchall()
        for row in found:
            answer = None if row["answer"] is None else self.answer(row["answer"])
            yield Lesson(
                row["id"],
                self.question_at(row["question"]),
                answer,
                bool(row["is_good"]),
                float(row["weight"]),
            )

    def last_lesson(self, head: str, lineage: str) -> int:
        """The id of a head's newest lesson; 0 where there is none."""
        row = self._db.execute("SELECT max(id) FROM lessons WHERE head = ? AND lineage = ?", (head, lineage))
        return int(row.fetchone()[0] or 0)

    def examples(self) -> list[Example]:
        """All live examples, oldest first."""
        found = self._db.execute("SELECT * FROM examples WHERE state = 'live' ORDER BY created, id")
        return [
            Example(
                id=row["id"],
                prompt=rows.load_messages(row["prompt"]),
                completion=rows.load_messages(row["completion"]),
                rejected=None if row["rejected"] is None else rows.load_messages(row["rejected"]),
                weight=row["weight"],
                source=row["source"],
                created=row["created"],
            )
            for row in found
        ]

    # Jobs.

    def enqueue(self, kind: str, payload: dict[str, Any]) -> None:
        """Leave work for the background, once while the same work is still waiting."""
        with self._db.write() as db:
            _insert_job(db, kind, payload)

    def waiting_jobs(self) -> list[Job]:
        """Jobs that may start now, oldest first."""
        found = self._db.execute(
            "SELECT * FROM jobs WHERE state = 'queued' AND not_before <= ? ORDER BY id", (time.time(),)
        )
        return [Job(row["id"], row["kind"], json.loads(row["payload"]), row["attempts"]) for row in found]

    def take_job(self, retry_seconds: float, most_attempts: int) -> Job | None:
        """Start the oldest job that may start; one that kills its worker comes back later, and not for ever."""
        with self._db.write() as db:
            db.execute(
                "UPDATE jobs SET state = 'failed', finished = ?, error = coalesce(error, 'it ended its worker')"
                " WHERE state = 'queued' AND attempts >= ?",
                (now(), most_attempts),
            )
            row = db.execute(
                "UPDATE jobs SET attempts = attempts + 1, not_before = ? WHERE id = (SELECT id FROM jobs"
                " WHERE state = 'queued' AND not_before <= ? ORDER BY id LIMIT 1) RETURNING *",
                (time.time() + retry_seconds, time.time()),
            ).fetchone()
        return Job(row["id"], row["kind"], json.loads(row["payload"]), row["attempts"]) if row else None

    def finish_job(self, job: Job, error: str | None = None, retry_seconds: float | None = None) -> None:
        """Close a job: done, failed, or queued again after a while."""
        state = "queued" if retry_seconds is not None else "failed" if error else "done"
        with self._db.write() as db:
            db.execute(
                "UPDATE jobs SET state = ?, not_before = ?, finished = ?, error = ? WHERE id = ?",
                (state, time.time() + (retry_seconds or 0), now(), error, job.id),
            )

    def put_back(self, job: Job, reason: str, retry_seconds: float) -> None:
        """Let a job wait for better times: that was no attempt."""
        with self._db.write() as db:
            db.execute(
                "UPDATE jobs SET attempts = attempts - 1, not_before = ?, error = ? WHERE id = ?",
                (time.time() + retry_seconds, reason, job.id),
            )

    # Money.

    def spent_usd(self) -> float:
        """What today's teacher calls cost, reservations counted in full."""
        row = self._db.execute("SELECT coalesce(sum(usd), 0) FROM spending WHERE day = ?", (today(),))
        return float(row.fetchone()[0])

    def reserve(self, usd: float, limit_usd: float, question: Question) -> int | None:
        """Set money aside for a call; None where the day's limit would be passed."""
        with self._db.write() as db:
            if self.spent_usd() + usd > limit_usd:
                return None
            return db.execute(
                "INSERT INTO spending (day, usd, question) VALUES (?, ?, ?)", (today(), usd, question.number)
            ).lastrowid

    def settle(self, reservation: int, usd: float) -> None:
        """Replace a reservation by what the call cost."""
        with self._db.write() as db:
            db.execute("UPDATE spending SET usd = ?, is_settled = 1 WHERE id = ?", (usd, reservation))

    # Model files.

    def base_at(self, path: Path) -> Base | None:
        """What was recorded of the model file at a path."""
        row = self._db.execute("SELECT * FROM bases WHERE path = ?", (str(path),)).fetchone()
        return Base(**{name: row[name] for name in Base.__slots__}) if row else None

    def base(self, sha256: str) -> Base | None:
        """A model file by its hash: of several, the newest that is still there."""
        found = self._db.execute("SELECT * FROM bases WHERE sha256 = ? ORDER BY probed DESC", (sha256,)).fetchall()
        bases = [Base(**{name: row[name] for name in Base.__slots__}) for row in found]
        return next((base for base in bases if Path(base.path).is_file()), bases[0] if bases else None)

    def record_base(self, base: Base) -> None:
        """Record a model file whose hash was taken and which was probed; it replaces what stood at its path."""
        with self._db.write() as db:
            row = asdict(base) | {"probed": now()}
            db.execute(
                f"INSERT OR REPLACE INTO bases ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})",
                row,
            )

    def active_adapters(self, base: str) -> tuple[tuple[str, float], ...]:
        """The active set of a base: (adapter, scale), in order."""
        found = self._db.execute("SELECT adapter, scale FROM active_adapters WHERE base = ? ORDER BY place", (base,))
        return tuple((row["adapter"], row["scale"]) for row in found)

    # Words to the user.

    def notify(self, text: str) -> None:
        """Leave a line for the next command to say."""
        with self._db.write() as db:
            db.execute("INSERT INTO notices (created, text) VALUES (?, ?)", (now(), text))

    def take_notices(self) -> list[str]:
        """The lines that wait, each handed out once."""
        if not self._db.execute("SELECT 1 FROM notices WHERE NOT is_shown LIMIT 1").fetchone():
            return []
        with self._db.write() as db:
            found = db.execute("UPDATE notices SET is_shown = 1 WHERE NOT is_shown RETURNING id, text").fetchall()
        return [row["text"] for row in sorted(found, key=lambda row: int(row["id"]))]

    def raise_flag(self, name: str) -> bool:
        """Whether this is the first time that the flag is raised."""
        with self._db.write() as db:
            return db.execute("INSERT OR IGNORE INTO flags VALUES (?, '1')", (name,)).rowcount == 1

    def _question(self, where: str, value: object) -> Question:
        return rows.to_question(self._db.execute(f"SELECT * FROM questions WHERE {where}", (value,)).fetchone())


def _new_id() -> str:
    return secrets.token_hex(ID_BYTES)


def _insert_job(db: sqlite3.Connection, kind: str, payload: dict[str, Any]) -> None:
    text = json.dumps(payload, sort_keys=True)
    db.execute(
        "INSERT INTO jobs (kind, payload, state, created) SELECT ?, ?, 'queued', ?"
        " WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE kind = ? AND payload = ? AND state = 'queued')",
        (kind, text, now(), kind, text),
    )


def _insert_example(db: sqlite3.Connection, question: Question, answer: int, text: str, source: str) -> None:
    db.execute(
        "INSERT INTO examples (id, answer, prompt, completion, weight, source, state, created)"
        " VALUES (?, ?, ?, ?, 1.0, ?, 'live', ?)",
        (
            _new_id(),
            answer,
            rows.dump_messages(question.context),
            rows.dump_messages([Message("assistant", text)]),
            source,
            now(),
        ),
    )


def _like(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
