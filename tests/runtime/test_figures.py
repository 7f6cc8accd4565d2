"""What statistics are counted from is what happened, day by day, and reading it holds nobody up."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shammah.divergence import Divergence, Method
from shammah.journal import Journal
from shammah.journal.comparisons import NewComparison, Pick
from shammah.journal.counted import BlindCount, Compared, Pairs, Scope, Spent, Tally, Wait
from shammah.journal.figures import first_moment
from shammah.learning import Heads
from shammah.records.examples import NewExample, NewRating, Rating
from shammah.sight import HEAD_NAMES
from tests.asked import LINEAGE, Asked, add, apply, clock_of, judge, name, spend

OTHER = "0" * 64
ALL = Scope()
FIGURES = ("asked", "bases", "tallies", "labels", "compared", "waits", "spent", "pairs", "activations", "blind")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with clock_of("UTC", monkeypatch):
        yield


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened


def test_a_question_belongs_to_the_day_of_the_local_clock(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    Asked(at="2026-11-20T20:00:00.000Z").put(journal)
    assert journal.figures.asked(ALL) == {"2026-11-20": 1}
    with clock_of("Asia/Tokyo", monkeypatch):
        assert journal.figures.asked(ALL) == {"2026-11-21": 1}
        assert journal.figures.asked(Scope(date(2026, 11, 21))) == {"2026-11-21": 1}
        assert first_moment(Scope(date(2026, 11, 21))) == "2026-11-20T15:00:00.000Z"
        moment = datetime(2026, 11, 20, 16, tzinfo=UTC).astimezone()
        assert (first_moment(Scope(moment)), Scope(moment).first_day) == ("2026-11-20T16:00:00.000Z", "2026-11-21")


def test_a_scope_begins_at_midnight_and_holds_one_base_where_it_names_one(journal: Journal) -> None:
    for at in ("2026-11-19T23:59:59.999Z", "2026-11-20T00:00:00.000Z"):
        Asked(at=at).put(journal)
        Asked(at=at, lineage=OTHER).put(journal)
    assert journal.figures.asked(Scope(date(2026, 11, 20))) == {"2026-11-20": 2}
    assert journal.figures.asked(Scope(base=OTHER)) == {"2026-11-19": 1, "2026-11-20": 1}


def test_answers_are_counted_by_day_side_and_reason_with_their_tokens_and_cost(journal: Journal) -> None:
    for _ in range(2):
        Asked(side="teacher", reason="cold_start", cost_usd=0.5).put(journal)
    Asked(reason="offline", is_counted=False).put(journal)
    journal.begin("here", LINEAGE, journal.recent(1)[0].context, 0, True)  # nobody answered it
    assert journal.figures.tallies(ALL) == [
        Tally("2026-11-20", False, "local", True, "offline", 1, 100, 20, 0.0),
        Tally("2026-11-20", True, "teacher", True, "cold_start", 2, 200, 40, 1.0),
    ]
    assert sum(journal.figures.asked(ALL).values()) == 4


def test_the_last_word_on_an_answer_counts_and_a_users_before_any_other(journal: Journal) -> None:
    question, answer = judge(journal, Asked(propensity=0.1), is_good=True)
    (label,) = journal.figures.labels(ALL)
    assert (label.is_bad, label.source, label.weight, label.is_certain) == (False, "semantic", 10.0, False)
    journal.lessons.teach_by_user(question, answer, Divergence(0.1, Method.SEMANTIC), is_good=False)
    journal.lessons.teach(question, answer, Divergence(0.0, Method.JUDGE), is_good=True)
    (label,) = journal.figures.labels(ALL)
    assert (label.is_bad, label.source, label.weight, label.is_certain) == (True, "user", 1.0, True)


def test_given_is_what_the_router_chose_and_the_user_saw(journal: Journal) -> None:
    for asked in (Asked(), Asked(is_shown=False), Asked(reason="offline", is_counted=False)):
        judge(journal, asked, is_good=True)
    assert [label.is_given for label in journal.figures.labels(ALL)] == [True, False, False]


def test_what_the_validator_said_after_a_lesson_about_the_question_is_no_evidence(journal: Journal) -> None:
    question, _ = judge(journal, Asked(validator=0.4), is_good=True)
    again = add(journal, question, Asked(at="2999-01-01T00:00:00.000Z", validator=0.9))
    journal.lessons.teach(question, again, Divergence(0.1, Method.SEMANTIC), is_good=True)
    first, second = journal.figures.labels(ALL)
    assert (first.validator, second.validator) == (0.4, None)
    assert first.router == second.router == 0.8, "the router spoke before anyone answered"


def test_comparisons_and_waits_are_read_one_by_one(journal: Journal) -> None:
    judge(journal, Asked(), is_good=False, value=0.7)
    judge(journal, Asked(is_shown=False), is_good=True, method=Method.BLEU, value=0.2)
    assert journal.figures.compared(ALL) == [
        Compared("2026-11-20", "semantic", 0.7),
        Compared("2026-11-20", "bleu", 0.2),
    ]
    assert journal.figures.waits(ALL) == [Wait("2026-11-20", "local", 2.0, 1.0, 20)]


def test_a_wait_that_nobody_timed_is_none(journal: Journal) -> None:
    Asked(seconds={}).put(journal)
    assert journal.figures.waits(ALL) == []


def test_what_the_heads_said_stays_when_they_learn_it_all_again(journal: Journal) -> None:
    for place in range(12):
        judge(journal, Asked(router=place / 12, validator=1 - place / 12), is_good=place > 5)
    before = journal.figures.labels(ALL)
    heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
    for head in HEAD_NAMES:
        assert heads.refit(head).lessons > 0
    assert journal.figures.labels(ALL) == before


def test_the_newest_days_are_found_without_a_look_at_all_questions(journal: Journal) -> None:
    statements: list[str] = []
    journal._db._connection.set_trace_callback(statements.append)
    for figure in ("asked", "tallies", "compared", "waits"):
        getattr(journal.figures, figure)(Scope(date(2026, 11, 20)))
    journal._db._connection.set_trace_callback(None)
    assert len(statements) == 4
    for statement in statements:
        plan = " ".join(row["detail"] for row in journal._db.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert "questions_created (created>" in plan


def test_spending_is_by_the_day_of_the_call_settled_and_set_aside_apart(journal: Journal) -> None:
    question, _ = Asked().put(journal)
    other, _ = Asked(lineage=OTHER).put(journal)
    spend(journal, question, "2026-11-20", 0.25)
    spend(journal, question, "2026-11-21", 0.5)
    spend(journal, other, "2026-11-21", 2.0, is_settled=False)
    assert journal.figures.spent(ALL) == [Spent("2026-11-20", 0.25, 0.0), Spent("2026-11-21", 0.5, 2.0)]
    assert journal.figures.spent(Scope(date(2026, 11, 21))) == [Spent("2026-11-21", 0.5, 2.0)]
    assert journal.figures.spent(Scope(base=OTHER)) == [Spent("2026-11-21", 0.0, 2.0)]


def test_tokens_of_both_sides_are_paired_by_question_whatever_the_period(journal: Journal) -> None:
    question, _ = Asked(prompt_tokens=100, completion_tokens=20).put(journal)
    add(journal, question, Asked(side="teacher", reason="sampled", prompt_tokens=130, completion_tokens=50))
    Asked(side="teacher", reason="cold_start").put(journal)
    assert journal.figures.pairs(Scope(date(2999, 1, 1))) == Pairs(1, 100, 130, 20, 50)


def test_bases_are_named_the_newest_first(journal: Journal) -> None:
    name(journal, "small")
    for lineage in (LINEAGE, LINEAGE, OTHER):
        Asked(lineage=lineage).put(journal)
    found = journal.figures.bases(ALL)
    assert [(base.sha256, base.name, base.questions) for base in found] == [(OTHER, "", 1), (LINEAGE, "small", 2)]


def test_the_last_rating_of_an_answer_counts(journal: Journal) -> None:
    question, answer = Asked().put(journal)
    for rating in (Rating.CRITICAL, Rating.GOOD):
        example = NewExample(answer.id, question.context, "ls", "user")
        journal.ratings.record(question, NewRating(answer.id, rating, "", example, None, True, False, False))
    assert journal.figures.ratings(ALL) == {("local", "good"): 1}


def test_a_blind_pick_counts_for_a_pair_whichever_was_shown_first(journal: Journal) -> None:
    _, one = Asked().put(journal)
    _, other = Asked(at="2026-11-21T12:00:00.000Z").put(journal)
    picks: list[tuple[tuple[str, str], Pick]] = [
        (("local", "Claude"), "second"),
        (("Claude", "local"), "first"),
        (("local", "Claude"), "both"),
    ]
    for names, pick in picks:
        journal.comparisons.record(NewComparison((one.id, other.id), names, pick, None, None))
    journal.comparisons.record(NewComparison((other.id, one.id), ("rust-v1", "none"), "first", None, None))
    of_sides = BlindCount("Claude", "local", picked_one=2, picked_other=0, as_good=1)
    of_adapters = BlindCount("none", "rust-v1", picked_one=0, picked_other=1, as_good=0)
    assert journal.figures.blind(ALL) == [of_sides, of_adapters]
    assert journal.figures.blind(Scope(since=date(2026, 11, 21))) == [of_adapters]
    assert journal.figures.blind(Scope(base="0" * 64)) == []


def test_reading_leaves_the_journal_free_for_writers(journal: Journal) -> None:
    question, answer = judge(journal, Asked(), is_good=True)
    journal.comparisons.record(NewComparison((answer.id, answer.id), ("local", "Claude"), "both", None, None))
    spend(journal, question, "2026-11-20", 0.5)
    apply(journal, "2026-11-20T00:00:00.000Z", "use")
    found = [getattr(journal.figures, figure)(ALL) for figure in FIGURES]
    writer = sqlite3.connect(journal.path, timeout=0)
    writer.execute("UPDATE questions SET is_sampled = 1")
    writer.commit()  # where a reader is not done this is "database is locked"
    writer.close()
    assert all(found)
