"""Many rows in a journal by one commit: each commit of its own is a sync of the disk."""

from shammah.journal import Journal
from shammah.records.questions import Question


def ask_again(journal: Journal, question: Question, times: int) -> None:
    """Let so many more questions have been asked that are like one."""
    with journal._db.write() as db:
        names = [row["name"] for row in db.execute("PRAGMA table_info(questions)")]
        copied = ", ".join(name for name in names if name not in ("number", "id"))
        for _ in range(times):
            db.execute(
                f"INSERT INTO questions (id, {copied})"
                f" SELECT hex(randomblob(8)), {copied} FROM questions WHERE number = ?",
                (question.number,),
            )
