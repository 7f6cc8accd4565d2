"""Questions that were really asked, compared and rated are counted as what they were."""

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from shammah.assistant import Assistant
from shammah.feedback import Feedback, rate
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.journal.counted import Scope
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.records.examples import Rating
from shammah.settings import Settings
from shammah.stats.figures import Figures, gather
from shammah.turn import Outcome, Request
from tests.scripted import Recorder, Scripted, local_side, teacher_side

LINEAGE = "f" * 64
CALL_USD = 0.001  # what the script's teacher says that a call cost


class Life:
    """A local model and a teacher that agree on `ls` and on nothing else."""

    def __init__(self, journal: Journal) -> None:
        home = journal.path.parent
        self.journal = journal
        heads = Heads(home, journal, LINEAGE, "bayes")
        self._local = local_side(Scripted("ls"))
        self._teacher = teacher_side(Scripted(lambda messages: "ls" if "list" in messages[-1].content else "cd .."))
        self._assistant = Assistant(journal, heads, self._local, self._teacher, chance=random.Random(0))
        self._comparison = Comparison(journal, heads, self._local, self._teacher, None, Sampling(10))

    def ask(self, text: str, is_offline: bool = False) -> Outcome:
        """Ask, and let the background compare."""
        outcome = self._assistant.ask(Request(text, "here", is_offline=is_offline), Recorder())
        if outcome.question.is_sampled:
            label(self._comparison, outcome.question)
        return outcome

    def figures(self) -> Figures:
        """What is counted of it."""
        return gather(self.journal, Settings(self.journal.path.parent), Scope(), None, date.today())


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with Journal(tmp_path) as journal:
        yield Life(journal)


def test_forwarded_questions_are_counted_with_cost_tokens_and_the_local_answers_to_them(life: Life) -> None:
    for text in ("list files", "go up", "list them again"):
        life.ask(text)
    found = life.figures()
    assert (found.questions.answered, found.questions.local, found.questions.counted) == (3, 0, 3)
    assert [(one.side, one.reason, one.answers) for one in found.reasons] == [("teacher", "cold_start", 3)]
    assert found.money.spent_usd == found.money.answers_usd == pytest.approx(3 * CALL_USD)
    assert (found.money.other_usd, found.money.reserved_usd, found.money.saved_usd) == (0.0, 0.0, 0.0)
    assert [(one.side, one.is_given, one.answers) for one in found.tokens] == [
        ("local", False, 3),
        ("teacher", True, 3),
    ]
    assert (found.quality.compared.judged, found.quality.compared.bad, found.quality.given.judged) == (3, 1, 0)
    assert found.quality.compared.is_by_similarity
    assert {one.method: one.compared for one in found.divergence} == {"exact": 2, "bleu": 1}
    (waited,) = found.seconds
    assert waited.total > 0


def test_both_heads_had_spoken_before_they_learnt(life: Life) -> None:
    for text in ("list files", "go up", "list them again"):
        life.ask(text)
    found = life.figures()
    assert found.router.judged == 3
    assert found.validator.judged == 2, "at the first question the validator had no lesson to speak from"
    assert found.router.bins[0].said == pytest.approx(0.5, abs=0.2), "of nothing it knew nothing"


def test_an_offline_answer_saves_money_and_its_rating_stays_out_of_the_sample(life: Life) -> None:
    outcome = life.ask("list files", is_offline=True)
    rate(life.journal, outcome.question, Feedback(Rating.CRITICAL, "no"), has_teacher=False)
    found = life.figures()
    assert (found.questions.local, found.questions.counted, found.money.local_answers) == (1, 0, 1)
    assert found.money.saved_usd is not None
    assert found.money.saved_usd > 0
    assert found.money.saved_by_routing_usd == 0
    assert [(one.side, one.good, one.critical) for one in found.ratings] == [("local", 0, 1)]
    assert found.quality.compared.judged == 0
