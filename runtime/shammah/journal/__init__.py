"""The journal: every question, answer, rating, lesson, example and job, in one SQLite file.

It is the only truth about what happened and what is active. Questions and answers are here; lessons, examples with
the ratings that make them, trainings, adapters, the watch over them, jobs, and money have a file each.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shammah import features, rows
from shammah.database import Database
from shammah.features import Vector
from shammah.journal.adapters import Adapters
from shammah.journal.bases import Bases
from shammah.journal.checkpoints import Checkpoints
from shammah.journal.comparisons import Comparisons
from shammah.journal.domains import Domains
from shammah.journal.erasing import Erasing
from shammah.journal.examples import Examples, insert_example
from shammah.journal.figures import FigureRows
from shammah.journal.heads import HeadRows
from shammah.journal.jobs import Jobs, insert_job
from shammah.journal.judgements import Judgements
from shammah.journal.lessons import Lessons
from shammah.journal.log import Filter, Log
from shammah.journal.notices import Notices
from shammah.journal.outages import Outages
from shammah.journal.pulls import Pulls
from shammah.journal.quarantine import Quarantine
from shammah.journal.ratings import Ratings
from shammah.journal.scores import ScoreRows
from shammah.journal.spending import Spending
from shammah.journal.trainings import Trainings
from shammah.journal.watch import Watch
from shammah.learners import DEFAULT_KIND, Kind
from shammah.policy import Thresholds
from shammah.records.examples import NewExample
from shammah.records.questions import Answer, NewAnswer, Question
from shammah.rows import new_id, now
from shammah_convert.chat import Message


class Journal:
    """The journal, open for reading and writing; one connection, one thread.

    Attributes:
        adapters: What was trained, and what of it is active.
        bases: Model files, as they were when they were probed.
        checkpoints: States to go back to.
        domains: What adapters are for.
        erasing: What of all this is to be no more.
        comparisons: Which of two answers users picked.
        examples: What the generator is to learn.
        figures: What statistics are counted from.
        heads: What router and validator learn from.
        jobs: Work for the background.
        judgements: What the judge said of answers.
        lessons: How local answers turned out, for router and validator.
        log: The questions, found by what is known of them.
        notices: Words to the user.
        outages: How often in a row the teacher was out of reach.
        pulls: Models that are fetched in the background.
        quarantine: What came in from outside.
        ratings: What users say of answers.
        scores: How router and validator decided.
        spending: What the teacher costs.
        trainings: Attempts to make an adapter.
        watch: How the answers of a promoted adapter turned out.
    """

    def __init__(self, home: Path) -> None:
        """Open or create the journal of a home folder.

        Raises:
            JournalError: It cannot be opened, or a newer version of Shammah wrote it.
        """
        self.path = home / "shammah.db"
        self._db = Database(self.path)
        self.adapters = Adapters(self._db)
        self.bases = Bases(self._db)
        self.checkpoints = Checkpoints(self._db)
        self.domains = Domains(self._db)
        self.erasing = Erasing(self._db)
        self.comparisons = Comparisons(self._db)
        self.examples = Examples(self._db)
        self.figures = FigureRows(self._db)
        self.heads = HeadRows(self._db)
        self.jobs = Jobs(self._db)
        self.judgements = Judgements(self._db)
        self.lessons = Lessons(self._db, self.heads)
        self.log = Log(self._db)
        self.notices = Notices(self._db)
        self.outages = Outages(self._db)
        self.pulls = Pulls(self._db)
        self.quarantine = Quarantine(self._db)
        self.ratings = Ratings(self._db)
        self.scores = ScoreRows(self._db)
        self.spending = Spending(self._db)
        self.trainings = Trainings(self._db)
        self.watch = Watch(self._db)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(
        self,
        session: str,
        lineage: str,
        context: Sequence[Message],
        redactions: int,
        may_go_online: bool,
        id: str = "",
    ) -> Question:
        """Record a question before anyone works on it; `context` is redacted and ends with the question."""
        with self._db.write("ask.question") as db:
            number = db.execute(
                "INSERT INTO questions (id, created, session, lineage, text, context, may_go_online, redactions)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id or new_id(),
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
        self,
        question: Question,
        hand: Vector,
        embedding: Vector | None,
        router_probability: float,
        bars: Thresholds | None = None,
        learner: Kind = DEFAULT_KIND,
    ) -> Question:
        """Count a question, and record what a router of a kind saw and said, and which thresholds apply."""
        with self._db.write("ask.route") as db:
            db.execute(
                "UPDATE questions SET is_counted = 1, features = ?, embedding = ?, feature_version = ?,"
                " router_probability = ?, router_threshold = ?, validator_threshold = ?, learner = ? WHERE number = ?",
                (
                    rows.blob(hand),
                    rows.blob(embedding),
                    features.VERSION,
                    router_probability,
                    bars and bars.router,
                    bars and bars.validator,
                    learner,
                    question.number,
                ),
            )
        return self.question_at(question.number)

    def uncount(self, question: Question) -> None:
        """Let a question not count after all: no teacher was available."""
        with self._db.write() as db:
            db.execute("UPDATE questions SET is_counted = 0 WHERE number = ?", (question.number,))

    def note_failure(self, question: Question, why: str) -> None:
        """Record why the teacher gave no answer, redacted."""
        with self._db.write() as db:
            db.execute("UPDATE questions SET failure = ? WHERE number = ?", (why, question.number))

    def note_features(self, question: Question, hand: Vector) -> Question:
        """Record what the router would have seen of a question that it was not asked about; it does not count."""
        with self._db.write("feedback.features") as db:
            db.execute(
                "UPDATE questions SET features = ?, feature_version = ? WHERE number = ?",
                (rows.blob(hand), features.VERSION, question.number),
            )
        return self.question_at(question.number)

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
        with self._db.write("ask.answer") as db:
            ids = [self._insert_answer(db, question, answer) for answer in answers]
            db.execute(
                "UPDATE questions SET propensity = coalesce(?, propensity), is_sampled = max(is_sampled, ?)"
                " WHERE number = ?",
                (propensity, is_sampled, question.number),
            )
            if job is not None:
                insert_job(db, *job)
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
            insert_example(db, NewExample(number, question.context, answer.text, "teacher"))
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
        return self.log.find(limit, Filter(words=tuple(words)))

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
        """Questions of a base lineage for which a teacher was available and no side was forced.

        A base that came after another starts at what it took over.
        """
        row = self._db.execute("SELECT count(*) FROM questions WHERE lineage = ? AND is_counted", (lineage,))
        adoption = self.heads.adoption(lineage)
        return int(row.fetchone()[0]) + (adoption.questions if adoption else 0)

    def count_before(self, question: Question) -> int:
        """What `count` said when a question was asked."""
        later = self._db.execute(
            "SELECT count(*) FROM questions WHERE lineage = ? AND is_counted AND number >= ?",
            (question.lineage, question.number),
        )
        return self.count(question.lineage) - int(later.fetchone()[0])

    def _question(self, where: str, value: object) -> Question:
        return rows.to_question(self._db.execute(f"SELECT * FROM questions WHERE {where}", (value,)).fetchone())
