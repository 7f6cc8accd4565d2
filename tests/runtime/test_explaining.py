"""An explanation adds up: what spoke is what the head said, and the nearest questions are the nearest."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shammah import explaining, metrics
from shammah.divergence import Divergence, Method
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES
from shammah.forest import log_odds, pooled
from shammah.journal import Journal
from shammah.learners import sigmoid
from shammah.policy import Reason, Thresholds
from shammah.records.questions import Question
from shammah.sight import seen_by_router, seen_by_validator
from shammah_convert.chat import Message
from tests.learnt import LINEAGE, heads, local_answer, teach, teach_base


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


BARS = Thresholds(0.95)


def asked(journal: Journal, side: str, reason: Reason, drafts: int = 0) -> Question:
    """A routed question with its shown answer, and a rejected draft where one is wanted."""
    question = journal.begin("here", LINEAGE, [Message("user", "Why?")], 0, True)
    question = journal.note_route(question, np.ones(len(QUESTION_FEATURES), dtype=np.float32), None, 0.4, BARS)
    answer = local_answer(np.ones(len(ANSWER_FEATURES), dtype=np.float32))
    draft = replace(answer, reason=Reason.LOCAL_CONFIDENT, validator_probability=0.3)
    journal.save(question, [*[draft] * drafts, replace(answer, side=side, reason=reason, is_shown=True)])
    return journal.question_at(question.number)


def explained(journal: Journal, question: Question) -> explaining.Explanation:
    shown = journal.shown(question)
    assert shown
    return explaining.explain(journal, heads(journal), question, shown, None)


@pytest.mark.parametrize("has_embedding", [False, True])
def test_what_spoke_adds_up_to_the_logit(journal: Journal, has_embedding: bool) -> None:
    teach(journal, 30, has_embedding=has_embedding)
    head = heads(journal).open("router")
    seen = seen_by_router(journal.question_at(5))
    assert seen
    parts = head.contributions(seen)
    logit = sum(parts.hand) + parts.bias + parts.waves + parts.embedding
    x = head.input(seen)
    variance = float(x @ head.learner.arrays()["covariance"] @ x)
    assert sigmoid(logit / math.sqrt(1 + math.pi * variance / 8)) == pytest.approx(head.probability(seen), abs=1e-5)
    assert (parts.embedding != 0) is has_embedding


def test_what_spoke_for_an_answer_adds_up_with_the_trees(journal: Journal) -> None:
    teach(journal, 60)
    head = heads(journal).open("validator")
    assert head.forest is not None
    question = journal.question_at(5)
    (answer,) = journal.answers(question)
    assert answer.features is not None
    seen = seen_by_validator(question, answer.features)
    assert seen
    parts = head.contributions(seen)
    x = head.input(seen)
    variance = float(x @ head.learner.arrays()["covariance"] @ x)
    line = float(x @ head.learner.weights)
    assert sum(parts.hand) + parts.bias + parts.embedding == pytest.approx(
        (line + log_odds(head.forest.probability(answer.features))) / 2, abs=1e-5
    )
    certain = pooled(sigmoid(line / math.sqrt(1 + math.pi * variance / 8)), head.forest.probability(answer.features))
    assert head.probability(seen) == pytest.approx(certain, abs=1e-5)


def test_an_explanation_names_side_reason_thresholds_and_what_spoke_loudest(journal: Journal) -> None:
    teach(journal, 60)
    found = explained(journal, asked(journal, "teacher", Reason.REJECTED_DRAFT, drafts=1))
    assert found.why == explaining.WORDS[Reason.REJECTED_DRAFT]
    assert found.count == 60
    router, validator = found.said
    assert (router.head, router.probability, router.threshold) == ("router", 0.4, 0.95)
    assert (validator.head, validator.probability, validator.threshold) == ("validator", 0.3, 0.5)
    sizes = [abs(value) for _, value in validator.spoke]
    assert sizes == sorted(sizes, reverse=True)
    assert {"bias", "answer_hedges", "choices"} <= dict(validator.spoke).keys()


def test_every_reason_has_its_words() -> None:
    assert set(explaining.WORDS) == set(Reason)


def test_the_neighbours_are_the_nearest_with_what_became_of_them(journal: Journal) -> None:
    teach(journal, 9, has_embedding=True)
    question = journal.question_at(4)
    assert question.embedding is not None
    others = {number: journal.question_at(number) for number in range(1, 10) if number != 4}
    cosines = {q.id: float(q.embedding @ question.embedding) for q in others.values() if q.embedding is not None}
    found = explaining.nearest(journal, question, None)
    assert [one.id for one in found] == sorted(cosines, key=lambda id: -cosines[id])[: explaining.NEIGHBOURS]
    (first,) = [lesson for lesson in journal.lessons.of("router", LINEAGE, 0) if lesson.question.id == found[0].id]
    assert found[0].is_good is first.is_good


def test_neighbours_are_questions_of_the_same_base(journal: Journal) -> None:
    teach(journal, 3, has_embedding=True)
    teach_base(journal, "f" * 32, 4, has_embedding=True)
    found = explaining.nearest(journal, journal.question_at(1), None)
    assert {one.id for one in found} == {journal.question_at(number).id for number in (2, 3)}


def test_without_an_embedder_there_are_no_neighbours(journal: Journal) -> None:
    teach(journal, 3)
    assert explaining.nearest(journal, journal.question_at(1), None) == []


# Metrics.

KEYS = (
    "query_count", "forward_rate", "router_correct_forward", "router_correct_local", "router_incorrect",
    "validator_correct_reject", "validator_correct_approve", "validator_incorrect", "avg_divergence", "router_lr",
    "validator_lr", "generator_lr",
)  # fmt: skip


def taught(journal: Journal, side: str, reason: Reason, drafts: int, is_good: bool) -> None:
    question = asked(journal, side, reason, drafts)
    local = next((a for a in journal.answers(question) if a.side == "local"), None)
    local = local or journal.save(question, [local_answer(np.ones(len(ANSWER_FEATURES), dtype=np.float32))])[0]
    journal.lessons.teach(question, local, Divergence(0.2 if is_good else 0.6, Method.SEMANTIC), is_good)


def test_each_lesson_leaves_a_line_of_metrics(journal: Journal) -> None:
    for count in (1, 2):
        taught(journal, "teacher", Reason.COLD_START, 0, is_good=False)
        heads(journal).catch_up("router")
        heads(journal).catch_up("validator")
        lines = metrics.file(journal.path.parent).read_text().splitlines()
        assert len(lines) == count
        line = json.loads(lines[-1])
        assert set(KEYS) <= line.keys()
        assert (line["query_count"], line["forward_rate"], line["router_correct_forward"]) == (count, 1.0, count)
    heads(journal).open("router")
    assert len(metrics.file(journal.path.parent).read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("side", "reason", "drafts", "is_good", "counted"),
    [
        ("teacher", Reason.LOW_CONFIDENCE, 0, False, {"router_correct_forward"}),
        ("teacher", Reason.LOW_CONFIDENCE, 0, True, {"router_incorrect"}),
        ("teacher", Reason.REJECTED_DRAFT, 1, False, {"router_incorrect", "validator_correct_reject"}),
        ("teacher", Reason.REJECTED_DRAFT, 1, True, {"router_correct_local", "validator_incorrect"}),
        ("local", Reason.LOCAL_CONFIDENT, 0, True, {"router_correct_local", "validator_correct_approve"}),
        ("local", Reason.LOCAL_CONFIDENT, 0, False, {"router_incorrect", "validator_incorrect"}),
    ],
)
def test_a_decision_counts_by_what_turned_out(
    journal: Journal, side: str, reason: Reason, drafts: int, is_good: bool, counted: set[str]
) -> None:
    taught(journal, side, reason, drafts, is_good)
    heads(journal).catch_up("router")
    line = metrics.last(journal.path.parent, LINEAGE)
    assert line
    assert {key for key in KEYS if key.startswith(("router_", "validator_")) and line[key]} == counted
    assert line["avg_divergence"] == (0.2 if is_good else 0.6)


def test_a_line_that_was_cut_off_costs_no_other(journal: Journal) -> None:
    taught(journal, "teacher", Reason.COLD_START, 0, is_good=False)
    heads(journal).catch_up("router")
    file = metrics.file(journal.path.parent)
    whole = metrics.last(journal.path.parent, LINEAGE)
    with file.open("ab") as stream:
        stream.write(b'{"created": "20')
    assert metrics.last(journal.path.parent, LINEAGE) == whole
    taught(journal, "teacher", Reason.COLD_START, 0, is_good=False)
    heads(journal).catch_up("router")
    found = metrics.last(journal.path.parent, LINEAGE)
    assert found
    assert found["query_count"] == 2


def test_the_reference_learner_says_its_rates(journal: Journal) -> None:
    from shammah.learning import Heads

    taught(journal, "teacher", Reason.COLD_START, 0, is_good=False)
    adam = Heads(journal.path.parent, journal, LINEAGE, "adam")
    adam.catch_up("validator")
    adam.catch_up("router")
    line = metrics.last(journal.path.parent, LINEAGE)
    assert line
    assert line["router_lr"] == pytest.approx(1e-4, rel=0.01)
    assert line["validator_lr"] == pytest.approx(1e-4, rel=0.01)
