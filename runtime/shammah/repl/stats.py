"""A short table of what the journal knows."""

from collections import Counter

from shammah.config import Settings
from shammah.journal import Journal

NEWEST = 1000


def lines(journal: Journal, settings: Settings) -> list[str]:
    """Questions by side, cost, examples and trainings; of the newest questions."""
    questions = journal.recent(NEWEST)
    shown = [answer for question in questions if (answer := journal.shown(question)) is not None]
    sides = Counter(answer.side for answer in shown)
    limits = settings.examples
    live = journal.examples.live(limits.feedback, limits.teacher)
    unseen = journal.trainings.unseen([example.id for example in live])
    training = journal.trainings.last()
    rows = {
        "questions": f"{len(questions)}, {sides['local']} answered here, {sides['teacher']} by Claude",
        "verified": f"{sum(answer.is_verified for answer in shown)} of {len(shown)} answers",
        "Claude today": f"${journal.spending.usd_today():.4f} of ${settings.teacher.max_usd_per_day:g}",
        "examples": f"{len(live)}, {unseen} wait for a training",
        "training": f"{training.number} ({training.state})" if training else "none yet",
    }
    return [f"{name:<13} {value}" for name, value in rows.items()]
