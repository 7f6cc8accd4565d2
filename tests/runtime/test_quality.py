"""The quality contract in step with a real journal, and in the path of a question."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from shammah import contract, features, quality
from shammah.assistant import Assistant
from shammah.contract import Evidence
from shammah.divergence import Divergence, Method
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.policy import Side, Thresholds
from shammah.quality import Contract
from shammah.records.questions import Answer, NewAnswer, Question
from shammah.settings import QualitySettings, Settings
from shammah.turn import Outcome, Request
from shammah_convert.chat import Message
from tests.scripted import Recorder, Scripted, local_side, teacher_side

LINEAGE = "f" * 64
GOOD, BAD = Divergence(0.1, Method.SEMANTIC), Divergence(0.9, Method.SEMANTIC)
TEXT = "list all files"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def settled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of 200 counted questions, their local answers compared and good; made once, as each commit is a sync."""
    home = tmp_path_factory.mktemp("settled")
    with Journal(home) as journal:
        for _ in range(200):
            judge(journal, is_good=True)
        Heads(home, journal, LINEAGE, "bayes").catch_up("router")
    return home


@pytest.fixture
def settled(settled_home: Path, tmp_path: Path) -> Iterator[Journal]:
    """A copy of that home's journal."""
    shutil.copytree(settled_home, tmp_path / "home")
    with Journal(tmp_path / "home") as opened:
        yield opened


def judge(
    journal: Journal, is_good: bool, propensity: float = 1.0, p_good: float | None = 0.8
) -> tuple[Question, Answer]:
    """One counted question whose local answer was compared."""
    question = journal.begin("other", LINEAGE, [Message("user", TEXT)], 0, True)
    question = journal.note_route(question, features.of_question(TEXT), None, 0.8)
    answer = NewAnswer("local", True, "ls", "sampled", "stop", "m", (), False, 1, 1, {}, validator_probability=p_good)
    (saved,) = journal.save(question, [answer], propensity=propensity, is_sampled=True)
    journal.lessons.teach(question, saved, GOOD if is_good else BAD, is_good)
    return question, saved


def contract_file(journal: Journal) -> Path:
    return journal.path.parent / "heads" / LINEAGE[:16] / "contract.json"


def ask(journal: Journal, rate: float | None = 0.15) -> Outcome:
    """Ask with a local model and a teacher at hand, under a contract."""
    home = journal.path.parent
    holds = None if rate is None else Contract(home, journal, LINEAGE, rate)
    heads = Heads(home, journal, LINEAGE, "bayes")
    assistant = Assistant(
        journal,
        heads,
        local_side(Scripted("ls -la")),
        teacher_side(Scripted("from claude")),
        chance=random.Random(0),
        contract=holds,
    )
    return assistant.ask(Request(TEXT, "session"), Recorder())


def test_good_evidence_lets_a_local_answer_pass_and_the_record_says_from_where(settled: Journal) -> None:
    outcome = ask(settled)
    assert (outcome.answer.side, outcome.answer.reason) == (Side.LOCAL, "local_confident")
    assert (outcome.question.router_threshold, outcome.question.validator_threshold) == (0.0, 0.0)
    assert outcome.question.learner == "bayes"


def test_after_bad_judged_answers_the_same_question_is_forwarded(settled: Journal) -> None:
    assert ask(settled).answer.side == Side.LOCAL
    for _ in range(60):
        judge(settled, is_good=False)
    outcome = ask(settled)
    assert (outcome.answer.side, outcome.answer.reason) == (Side.TEACHER, "low_confidence")
    assert outcome.question.router_threshold is None


def test_without_evidence_a_settled_home_forwards_until_there_is_some(settled: Journal) -> None:
    with sqlite3.connect(settled.path) as db:  # as in a home from before validators were asked in the background
        db.execute("UPDATE answers SET validator_probability = NULL")
    db.close()
    assert ask(settled).answer.side == Side.TEACHER


def test_off_drafts_locally_from_the_fixed_thresholds(settled: Journal) -> None:
    outcome = ask(settled, rate=None)
    assert (outcome.question.router_threshold, outcome.question.validator_threshold) == (0.5, 0.5)
    assert outcome.answer.reason == "rejected_draft", "a validator without lessons vouches for nothing"


def test_in_the_early_phases_the_contract_has_no_say(journal: Journal) -> None:
    for _ in range(60):
        judge(journal, is_good=False)
    outcome = ask(journal)
    assert (outcome.question.router_threshold, outcome.question.validator_threshold) == (0.95, 0.5)


def test_evidence_is_what_both_heads_said_and_how_it_was_drawn(journal: Journal) -> None:
    judge(journal, is_good=True, propensity=0.2)
    judge(journal, is_good=False, p_good=None)
    assert journal.lessons.evidence(LINEAGE, 10) == [Evidence(0.8, 0.8, False, 0.2, 1.0, is_certain=False)]
    assert journal.lessons.evidence("0" * 64, 10) == []


def test_a_persons_word_comes_before_a_comparison_and_stands_for_itself(journal: Journal) -> None:
    question, answer = judge(journal, is_good=True, propensity=0.2)
    journal.lessons.teach_by_user(question, answer, GOOD, is_good=False)
    journal.lessons.teach(question, answer, GOOD, is_good=True)
    assert journal.lessons.evidence(LINEAGE, 10) == [Evidence(0.8, 0.8, True, 1.0, 1.0, is_certain=True)]


def test_a_comparison_by_words_counts_for_a_fifth(journal: Journal) -> None:
    question, answer = judge(journal, is_good=True)
    journal.lessons.teach(question, answer, Divergence(0.2, Method.BLEU), is_good=True)
    assert [one.trust for one in journal.lessons.evidence(LINEAGE, 10)] == [pytest.approx(0.2)]


def test_evidence_reads_no_more_than_it_is_told_newest_kept(journal: Journal) -> None:
    for is_good in (True, True, False, False, False):
        judge(journal, is_good)
    assert [one.is_bad for one in journal.lessons.evidence(LINEAGE, 4)] == [False, True, True, True]


def test_what_holds_is_kept_until_a_lesson_comes(settled: Journal) -> None:
    held = Contract(settled.path.parent, settled, LINEAGE, 0.15)
    before, file = held.standing(), contract_file(settled)
    kept = file.stat().st_mtime_ns
    assert held.standing() == before
    assert file.stat().st_mtime_ns == kept
    judge(settled, is_good=False)
    assert held.standing().judged == before.judged + 1


@pytest.mark.parametrize("content", ["", "{}", "null", '{"known": 1}', "\0"])
def test_a_damaged_file_is_decided_anew(settled: Journal, content: str) -> None:
    held = Contract(settled.path.parent, settled, LINEAGE, 0.15)
    before = held.standing()
    contract_file(settled).write_text(content)
    assert held.standing() == before


def test_another_rate_is_decided_anew(settled: Journal) -> None:
    home = settled.path.parent
    assert Contract(home, settled, LINEAGE, 0.15).standing().thresholds.router is not None
    assert Contract(home, settled, LINEAGE, 0.0).thresholds(200) == Thresholds(None)


@pytest.mark.parametrize(
    ("chosen", "rate"), [("strict", 0.05), ("balanced", 0.15), ("relaxed", 0.3), ("off", None), (0.1, 0.1), (0.0, 0.0)]
)
def test_presets_stand_for_rates(tmp_path: Path, chosen: object, rate: float | None) -> None:
    settings = Settings(tmp_path, quality=QualitySettings(chosen))  # type: ignore[arg-type]
    assert quality.max_bad_rate(settings) == rate


def test_an_answer_made_in_the_background_is_judged_before_it_teaches(journal: Journal) -> None:
    heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
    comparison = Comparison(
        journal, heads, local_side(Scripted("ls")), teacher_side(Scripted("dir")), None, Sampling(10)
    )
    for _ in range(2):
        question = journal.begin("other", LINEAGE, [Message("user", TEXT)], 0, True)
        label(comparison, journal.note_route(question, features.of_question(TEXT), None, 0.8))
    first, second = (journal.answers(question)[0] for question in reversed(journal.recent(2)))
    assert first.validator_probability is None, "there was no lesson yet"
    assert second.validator_probability is not None
    assert [one.validator for one in journal.lessons.evidence(LINEAGE, 10)] == [second.validator_probability]


def test_words_say_where_similarity_alone_stands_behind_it() -> None:
    by_likeness = contract.decide([Evidence(0.9, 0.9, False, is_certain=False)] * 300, 0.15)
    by_judge = contract.decide([Evidence(0.9, 0.9, False)] * 300, 0.15)
    assert "estimated by similarity" in quality.in_words(by_likeness, 0.15)
    assert "300 of them by you or a judge" in quality.in_words(by_judge, 0.15)
    assert "all is forwarded" in quality.in_words(contract.decide([], 0.15), 0.15)


def test_after_a_reset_of_the_heads_their_old_evidence_counts_no_more(journal: Journal) -> None:
    for _ in range(200):
        judge(journal, is_good=True)
    holds = Contract(journal.path.parent, journal, LINEAGE, 0.15)
    assert holds.standing().thresholds.router is not None
    Heads(journal.path.parent, journal, LINEAGE, "bayes").reset("validator")
    assert journal.lessons.evidence(LINEAGE, 1000) == []
    assert holds.standing().thresholds.router is None, "what it had decided was of other heads"
    judge(journal, is_good=True)
    assert len(journal.lessons.evidence(LINEAGE, 1000)) == 1


def test_a_judges_word_is_certain(journal: Journal) -> None:
    question, answer = judge(journal, is_good=True)
    journal.lessons.teach(question, answer, Divergence(0.0, Method.JUDGE), True)
    assert journal.lessons.evidence(LINEAGE, 10)[-1].is_certain


def test_thresholds_that_were_picked_for_one_learners_scores_do_not_hold_for_anothers(settled: Journal) -> None:
    home = settled.path.parent
    assert Contract(home, settled, LINEAGE, 0.15, "bayes").standing().thresholds.router is not None
    adam = Contract(home, settled, LINEAGE, 0.15, "adam").standing()
    assert (adam.thresholds.router, adam.judged) == (None, 0), "nothing is known of its scores"
    assert Contract(home, settled, LINEAGE, 0.15, "bayes").standing().judged == 200, "what it knew counts again"


def test_evidence_names_the_learner_that_spoke(journal: Journal) -> None:
    question = journal.begin("other", LINEAGE, [Message("user", TEXT)], 0, True)
    question = journal.note_route(question, features.of_question(TEXT), None, 0.8, learner="adam")
    answer = NewAnswer("local", True, "ls", "sampled", "stop", "m", (), False, 1, 1, {}, validator_probability=0.7)
    (saved,) = journal.save(question, [answer])
    journal.lessons.teach(question, saved, GOOD, is_good=True)
    assert journal.lessons.evidence(LINEAGE, 10) == []
    assert [one.validator for one in journal.lessons.evidence(LINEAGE, 10, "adam")] == [0.7]


def test_a_question_from_before_the_learner_was_kept_counts_for_the_default_one(journal: Journal) -> None:
    judge(journal, is_good=True)
    with journal._db.write() as db:
        db.execute("UPDATE questions SET learner = NULL")
    assert len(journal.lessons.evidence(LINEAGE, 10)) == 1
    assert journal.lessons.evidence(LINEAGE, 10, "adam") == []


def test_a_validator_of_another_learner_than_the_router_gives_no_evidence(journal: Journal) -> None:
    heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
    comparison = Comparison(
        journal, heads, local_side(Scripted("ls")), teacher_side(Scripted("dir")), None, Sampling(10)
    )
    for kind in ("bayes", "adam", "bayes"):
        question = journal.begin("other", LINEAGE, [Message("user", TEXT)], 0, True)
        label(comparison, journal.note_route(question, features.of_question(TEXT), None, 0.8, learner=kind))
    said = [journal.answers(question)[0].validator_probability for question in journal.recent(3)]
    assert [value is None for value in said] == [False, True, True], "newest first; the oldest came before any lesson"


@pytest.mark.parametrize(
    ("rate", "count", "state", "thresholds"),
    [
        (None, 300, "off", Thresholds(0.5, 0.5)),
        (0.15, 0, "early", Thresholds(None)),
        (0.15, 199, "early", Thresholds(0.95, 0.5)),
        (0.15, 200, "kept", Thresholds(0.0, 0.0, compares_all=True)),
        (0.0, 200, "unkept", Thresholds(None)),
    ],
)
def test_the_contract_says_how_it_stands_and_what_holds_next(
    settled: Journal, rate: float | None, count: int, state: str, thresholds: Thresholds
) -> None:
    held = None if rate is None else Contract(settled.path.parent, settled, LINEAGE, rate)
    found = quality.promise(held, count)
    assert (found.state, found.max_bad_rate, found.thresholds) == (state, rate, thresholds)
    assert (found.standing is None) is (rate is None)
    assert found.is_by_similarity is (rate is not None)


def test_without_evidence_the_contract_says_that_too_little_is_known(journal: Journal) -> None:
    found = quality.promise(Contract(journal.path.parent, journal, LINEAGE, 0.15), 300)
    assert (found.state, found.is_by_similarity) == ("unknown", False)


def test_a_persons_word_stands_behind_a_promise(journal: Journal) -> None:
    question, answer = judge(journal, is_good=True)
    held = Contract(journal.path.parent, journal, LINEAGE, 0.15)
    assert quality.promise(held, 300).is_by_similarity
    journal.lessons.teach_by_user(question, answer, GOOD, is_good=True)
    assert not quality.promise(held, 300).is_by_similarity
