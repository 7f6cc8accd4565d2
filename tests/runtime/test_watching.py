"""An adapter whose answers turn out bad more often is rolled back: on evidence, once, and never against a choice."""

from collections.abc import Iterator
from math import comb
from pathlib import Path

import numpy as np
import pytest

from shammah import features, watching
from shammah.divergence import Divergence, Method
from shammah.feedback import Feedback, rate
from shammah.generation import ActiveSet
from shammah.journal import Journal
from shammah.records.adapters import Adapter, Counts, Judged
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer, Question
from shammah.watching import LEAST_JUDGED, look, p_value, rose
from shammah_convert.chat import Message

BASE = "base"
V1: ActiveSet = (("v1", 1.0),)


def judged(before: tuple[int, int], after: tuple[int, int]) -> Judged:
    return Judged(Counts(*before), Counts(*after))


# The decision.


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        # The reference values are scipy.stats.fisher_exact's, alternative "greater", computed once.
        ([judged((1, 9), (11, 14))], 0.002490240947637636),
        ([judged((2, 12), (5, 7))], 0.02919345876002223),
        ([judged((10, 100), (10, 20))], 0.00012023572223557967),
    ],
)
def test_one_kind_is_judged_by_fishers_exact_test(kinds: list[Judged], expected: float) -> None:
    assert p_value(kinds) == pytest.approx(expected, rel=1e-9)


def test_two_kinds_are_judged_by_the_sum_over_both_tables() -> None:
    """Counted by hand: every way to deal the bad answers, kind by kind."""
    one, other = judged((1, 5), (3, 4)), judged((2, 3), (1, 3))
    ways = [
        comb(4, first) * comb(5, 4 - first) * comb(3, second) * comb(3, 3 - second)
        for first in range(5)
        for second in range(4)
        if first + second >= 4
    ]
    assert p_value([one, other]) == pytest.approx(sum(ways) / (comb(9, 4) * comb(6, 3)))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((10, 100), (10, 20), True),
        ((10, 100), (10, LEAST_JUDGED - 1), False),  # too few since
        ((10, 100), (0, 0), False),  # none since
        ((0, 0), (20, 20), False),  # nothing to compare with
        ((3, 3), (20, 20), False),  # no worse than before
        ((10, 100), (4, 20), False),  # p = 0.18
        ((10, 100), (6, 20), False),  # p = 0.027: not rare enough
        ((10, 100), (7, 20), True),  # p = 0.0085
        ((50, 100), (2, 20), False),  # better
        ((1500, 10_000), (400, 2_000), True),
    ],
)
def test_only_enough_answers_that_are_rarely_so_bad_by_chance_are_evidence(
    before: tuple[int, int], after: tuple[int, int], expected: bool
) -> None:
    assert rose([judged(before, after)]) is expected


def test_a_user_who_rates_more_of_the_same_is_no_evidence() -> None:
    """All of what users rate is bad, before and after; only its share of all judgements has grown."""
    kinds = [judged((5, 5), (15, 15)), judged((10, 100), (1, 10))]
    assert rose([judged((15, 105), (16, 25))]), "mixed up, it would look like a rise"
    assert not rose(kinds)


@pytest.mark.parametrize("rate_of_bad", [0.05, 0.3])
def test_a_harmless_promotion_is_seldom_suspected(rate_of_bad: float) -> None:
    chance = np.random.default_rng(1)
    draws = chance.binomial([100, 40], rate_of_bad, (2000, 2)).tolist()
    found = sum(rose([judged((before, 100), (after, 40))]) for before, after in draws)
    assert found / 2000 <= watching.ALPHA * 1.5, "the test is exact: at most alpha, and the draw's noise"


# Through the journal.


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as opened:
        yield opened


def ask(journal: Journal, active: ActiveSet, lineage: str = BASE) -> Question:
    question = journal.begin("here", lineage, [Message("user", "list files")], 0, True)
    question = journal.note_features(question, features.of_question("list files"))
    answer = NewAnswer("local", True, "rm -rf", "forced", "stop", "m", active, False, 1, 1, {})
    journal.save(question, [answer])
    return question


def audit(journal: Journal, active: ActiveSet, is_good: bool, method: Method = Method.SEMANTIC) -> None:
    question = ask(journal, active)
    (local,) = journal.answers(question)
    journal.lessons.teach(question, local, Divergence(0.1 if is_good else 0.9, method), is_good)


def promote(journal: Journal, name: str) -> None:
    training = journal.trainings.begin(BASE, is_forced=False)
    assert training is not None
    adapter = Adapter(name, BASE, f"/{name}", "ab" * 32, None, {}, "2026-01-01T00:00:00.000Z", training.number)
    journal.trainings.promote(training, adapter)


def judge(journal: Journal, active: ActiveSet, bad: int, good: int) -> None:
    for place in range(bad + good):
        audit(journal, active, is_good=place >= bad)


def worsen(journal: Journal) -> None:
    """One bad answer in thirty before v1, half of them since."""
    judge(journal, (), bad=1, good=29)
    promote(journal, "v1")
    judge(journal, V1, bad=10, good=10)


def test_a_promotion_with_worse_answers_is_rolled_back_with_its_numbers(journal: Journal) -> None:
    worsen(journal)
    assert look(journal, BASE)
    assert journal.adapters.active(BASE) == ()
    (notice,) = journal.notices.take()
    said = "10 of 20 judged answers were bad, 1 of 30 before (p = 0.00015)"
    assert notice == f"v1 was rolled back: {said}. `shammah adapters use v1:1` overrules."
    adapter = journal.adapters.find("v1")
    assert adapter is not None
    assert journal.watch.taken_back(adapter) == said


def test_it_is_rolled_back_once(journal: Journal) -> None:
    worsen(journal)
    promote(journal, "v2")
    journal.adapters.roll_back(BASE)
    assert not look(journal, BASE), "the user's own rollback brought v1 back"
    assert journal.adapters.active(BASE) == V1


def test_after_a_rollback_nothing_is_watched_until_the_next_promotion(journal: Journal) -> None:
    worsen(journal)
    assert look(journal, BASE)
    judge(journal, (), bad=30, good=0)
    assert not look(journal, BASE)
    assert journal.adapters.active(BASE) == ()
    assert len(journal.notices.take()) == 1


def test_what_a_user_chose_is_not_undone(journal: Journal) -> None:
    worsen(journal)
    assert journal.adapters.activate(BASE, V1, "use")
    assert not look(journal, BASE)
    assert journal.adapters.active(BASE) == V1


@pytest.mark.parametrize(("bad", "good"), [(0, 0), (19, 0), (1, 30)])
def test_without_evidence_nothing_happens(journal: Journal, bad: int, good: int) -> None:
    judge(journal, (), bad=1, good=29)
    promote(journal, "v1")
    judge(journal, V1, bad, good)
    assert not look(journal, BASE)
    assert journal.adapters.active(BASE) == V1
    assert journal.notices.take() == []


def test_only_answers_of_both_sets_in_their_time_are_compared(journal: Journal) -> None:
    judge(journal, (), bad=1, good=3)
    judge(journal, (("v1", 0.5),), bad=5, good=5)  # another set
    promote(journal, "v1")
    judge(journal, (), bad=7, good=0)  # of a process that had not swapped yet
    judge(journal, V1, bad=2, good=1)
    watched = journal.watch.promotion(BASE)
    assert watched is not None
    by_user, compared = journal.watch.judged(watched)
    assert compared == judged((1, 4), (2, 3))
    assert by_user == judged((0, 0), (0, 0))


def test_a_users_last_word_on_an_answer_counts_and_a_guess_by_words_does_not(journal: Journal) -> None:
    promote(journal, "v1")
    audit(journal, V1, is_good=True)
    question = journal.last_question("here")
    assert question is not None
    for said in (Rating.GOOD, Rating.CRITICAL):
        rate(journal, question, Feedback(said, "", "ls" if said.is_rejection else ""), has_teacher=False)
    audit(journal, V1, is_good=False, method=Method.BLEU)
    watched = journal.watch.promotion(BASE)
    assert watched is not None
    assert journal.watch.judged(watched) == [judged((0, 0), (1, 1)), judged((0, 0), (0, 0))]


def test_a_rating_that_completes_the_evidence_rolls_back_at_once(journal: Journal) -> None:
    for _ in range(20):
        rate(journal, ask(journal, ()), Feedback(Rating.GOOD), has_teacher=False)
    promote(journal, "v1")
    for number in range(1, LEAST_JUDGED + 1):
        assert journal.adapters.active(BASE) == V1, number
        rate(journal, ask(journal, V1), Feedback(Rating.CRITICAL, "", "ls"), has_teacher=False)
    assert journal.adapters.active(BASE) == ()


def test_a_promotion_that_was_overtaken_is_not_taken_back(journal: Journal) -> None:
    worsen(journal)
    watched = journal.watch.promotion(BASE)
    assert watched is not None
    journal.adapters.activate(BASE, V1, "use")
    assert journal.watch.take_back(watched, "late", "late") is None
    assert journal.adapters.active(BASE) == V1
    assert journal.notices.take() == []


def test_each_base_is_watched_for_itself(journal: Journal) -> None:
    worsen(journal)
    assert not look(journal, "another")
    assert journal.adapters.active(BASE) == V1
