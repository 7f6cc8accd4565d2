"""Ratings: what users say of answers, each with its example and its lessons in one transaction."""

from shammah import rows
from shammah.database import Database
from shammah.journal.examples import insert_example
from shammah.journal.jobs import insert_job
from shammah.journal.lessons import USER_WEIGHT, NewLesson, insert_lessons
from shammah.records.examples import Correction, NewRating, Rating
from shammah.records.questions import Answer, Question
from shammah.rows import now

TARGET_JOB = "target"


class Ratings:
    """The ratings of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(self, question: Question, new: NewRating) -> int:
        """Commit a rating: the last one of an answer decides what is learnt from it. Returns its id."""
        with self._db.write("feedback") as db:
            rating = db.execute(
                "INSERT INTO ratings (created, answer, rating, note) VALUES (?, ?, ?, ?)",
                (now(), new.answer, new.rating, new.note),
            ).lastrowid
            assert rating is not None
            insert_example(db, new.example, rating)
            if new.lesson_on is not None and self._last_lesson(new.lesson_on) != new.is_good:
                lesson = NewLesson(question.lineage, question.number, new.lesson_on, new.is_good, USER_WEIGHT, "user")
                insert_lessons(db, lesson)
            if new.wants_target:
                insert_job(db, TARGET_JOB, {"rating": rating, "may_ask_teacher": new.may_ask_teacher})
        return rating

    def correction(self, rating: int) -> Correction | None:
        """What a rating's example still waits for; None where a later rating, or the user, was faster."""
        row = self._db.execute(
            "SELECT r.*, a.question FROM ratings r JOIN answers a ON a.id = r.answer"
            " JOIN examples e ON e.rating = r.id AND e.state = 'pending' WHERE r.id = ?",
            (rating,),
        ).fetchone()
        if row is None:
            return None
        question = self._db.execute("SELECT * FROM questions WHERE number = ?", (row["question"],)).fetchone()
        answer = self._db.execute("SELECT * FROM answers WHERE id = ?", (row["answer"],)).fetchone()
        return Correction(
            id=rating,
            created=row["created"],
            rating=Rating(row["rating"]),
            note=row["note"],
            question=rows.to_question(question),
            rejected=rows.to_answer(answer),
        )

    def last(self, answer: Answer) -> Rating | None:
        """What the user said of an answer last."""
        row = self._db.execute(
            "SELECT rating FROM ratings WHERE answer = ? ORDER BY id DESC LIMIT 1", (answer.id,)
        ).fetchone()
        return Rating(row["rating"]) if row else None

    def _last_lesson(self, answer: int) -> bool | None:
        """What the user's last lesson on a local answer says."""
        row = self._db.execute(
            "SELECT is_good FROM lessons WHERE answer = ? AND source = 'user' ORDER BY id DESC LIMIT 1", (answer,)
        ).fetchone()
        return bool(row["is_good"]) if row else None
