"""Ratings: what users say of answers, each with its example and its lessons in one transaction."""

from shammah import rows
from shammah.database import Database
from shammah.journal.examples import delete_example, insert_example
from shammah.journal.jobs import insert_job
from shammah.journal.lessons import NewLesson, insert_lessons
from shammah.records import Correction, NewRating, Question
from shammah.rows import now

TARGET_JOB = "target"
LESSON_WEIGHT = 1.0


class Ratings:
    """The ratings of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(self, question: Question, new: NewRating) -> int:
        """Commit a rating: the last one of an answer decides what is learnt from it. Returns its id."""
        with self._db.write() as db:
            rating = db.execute(
                "INSERT INTO ratings (created, answer, rating, note) VALUES (?, ?, ?, ?)",
                (now(), new.answer, new.rating, new.note),
            ).lastrowid
            assert rating is not None
            if new.example is None:
                delete_example(db, new.answer)
            else:
                insert_example(db, new.example, rating)
            if new.lesson_on is not None:
                lesson = NewLesson(question.lineage, question.number, new.lesson_on, new.is_good, LESSON_WEIGHT, "user")
                insert_lessons(db, lesson)
            if new.wants_target:
                insert_job(db, TARGET_JOB, {"rating": rating})
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
        return Correction(rating, row["note"], rows.to_question(question), rows.to_answer(answer))
