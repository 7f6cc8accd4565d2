"""The judge grades two answers blind: through the real SDK, against a server that speaks its wire format."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shammah import features
from shammah.catalog import Price
from shammah.divergence import Divergence, Method
from shammah.errors import BudgetReached
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.judging import SCHEMA, Judge, is_drawn, read
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.rates import DEFAULT_RATES, SamplingRates
from shammah.records.questions import NewAnswer, Question
from shammah.settings import TeacherSettings
from shammah.sides import TeacherSide
from shammah.teacher import Access, Teacher
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Behaviour, Status
from tests.scripted import Scripted, local_side

LINEAGE = "f" * 64
LOCAL, TEACHER = "git reset --hard HEAD~1", "git reset --soft HEAD~1"
LOCAL_FIRST, TEACHER_FIRST = (
    next(seed for seed in range(99) if (random.Random(seed).random() < 0.5) is first) for first in (True, False)
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened


def asked(journal: Journal, text: str = "undo my last commit", online: bool = True) -> Question:
    """A forwarded question with the teacher's answer."""
    context = [Message("user", "hi"), Message("assistant", "hello"), Message("user", text)]
    question = journal.begin("session", LINEAGE, context, 0, online)
    question = journal.note_route(question, features.of_question(text), None, 0.5)
    journal.save(question, [NewAnswer("teacher", True, TEACHER, "cold_start", "stop", "m", (), True, 1, 1, {})])
    return question


def side(server: AnthropicServer, usd: float = 1.0) -> TeacherSide:
    price, settings = Price(2.0, 10.0), TeacherSettings()
    return TeacherSide(Teacher(Access("key", server.url), settings, price), price, 8192, usd)


def compare(
    journal: Journal, question: Question, server: AnthropicServer, seed: int, local: str = LOCAL, usd: float = 1.0
) -> Divergence | None:
    """Let the worker's comparison run, with a judge."""
    teacher = side(server, usd)
    judge = Judge(journal, teacher, lambda: seed)
    heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
    comparison = Comparison(journal, heads, local_side(Scripted(local)), teacher, None, Sampling(10), "judge", judge)
    return label(comparison, question)


def grades(local: int, teacher: int) -> Callable[[dict[str, Any]], Behaviour]:
    """A judge that knows the local answer when it sees it, wherever it stands."""

    def answer_with(body: dict[str, Any]) -> Behaviour:
        text = body["messages"][0]["content"]
        is_first = text.index(LOCAL) < text.index(TEACHER)
        first, second = (local, teacher) if is_first else (teacher, local)
        said = {"reason": "--hard loses the changes.", "first": first, "second": second}
        return Answer(json.dumps(said), input_tokens=300, output_tokens=30)

    return answer_with


@pytest.mark.parametrize("seed", [LOCAL_FIRST, TEACHER_FIRST])
def test_a_worse_local_answer_is_found_wherever_it_stands(journal: Journal, seed: int) -> None:
    question = asked(journal)
    with AnthropicServer(answer_with=grades(local=2, teacher=5)) as server:
        assert compare(journal, question, server, seed) == Divergence(0.75, Method.JUDGE)
    (lesson,) = journal.lessons.of("router", LINEAGE, 0)
    assert (lesson.is_good, lesson.weight) == (False, 1.0)
    local = next(answer for answer in journal.answers(question) if answer.side == "local")
    assert (local.divergence, local.method) == (0.75, "judge")
    kept = journal.judgements.of(local)
    assert kept is not None
    assert (kept.seed, kept.local_is_first) == (seed, seed == LOCAL_FIRST)
    assert (kept.local_grade, kept.teacher_grade, kept.reason) == (2, 5, "--hard loses the changes.")
    assert kept.cost_usd == pytest.approx((300 * 2 + 30 * 10) / 1e6)
    assert journal.spending.usd_today() == pytest.approx(kept.cost_usd)


@pytest.mark.parametrize(("local", "teacher"), [(5, 5), (5, 4), (1, 1)])
def test_a_local_answer_that_is_graded_no_worse_will_do(journal: Journal, local: int, teacher: int) -> None:
    question = asked(journal)
    with AnthropicServer(answer_with=grades(local, teacher)) as server:
        assert compare(journal, question, server, LOCAL_FIRST) == Divergence(0.0, Method.JUDGE)
    (lesson,) = journal.lessons.of("validator", LINEAGE, 0)
    assert (lesson.is_good, lesson.weight) == (True, 1.0)


def test_the_judge_sees_the_whole_conversation_and_neither_author_nor_secret(journal: Journal) -> None:
    key = "sk-ant-" + "a1B2" * 8
    question = asked(journal, f"undo my last commit, {key}")
    with AnthropicServer(answer_with=grades(3, 3)) as server:
        compare(journal, question, server, LOCAL_FIRST, f"{LOCAL} {key}")
        (request,) = server.requests
    (turn,) = request.body["messages"]
    assert request.body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert key not in turn["content"]
    for word in ("hello", "undo my last commit", LOCAL, TEACHER):
        assert word in turn["content"]
    for author in ("local", "Claude", "teacher"):
        assert author not in turn["content"]


@pytest.mark.parametrize(
    "behaviour",
    [Answer("I cannot grade."), Answer("{}"), Answer("", stop_reason="refusal"), Status(400, "invalid_request_error")],
)
def test_where_no_grades_come_similarity_labels(journal: Journal, behaviour: Behaviour) -> None:
    question = asked(journal)
    with AnthropicServer([behaviour]) as server:
        divergence = compare(journal, question, server, LOCAL_FIRST)
    assert divergence is not None
    assert divergence.method is Method.BLEU


def test_beyond_the_budget_nobody_is_asked(journal: Journal) -> None:
    question = asked(journal)
    with AnthropicServer(answer_with=grades(5, 5)) as server:
        divergence = compare(journal, question, server, LOCAL_FIRST, usd=0.0001)
        assert server.requests == []
    assert divergence is not None
    assert divergence.method is Method.BLEU


@pytest.mark.parametrize(("local", "method"), [(f" {TEACHER}\n", Method.EXACT), ("", Method.BLEU)])
def test_what_is_plain_without_a_judge_costs_nothing(journal: Journal, local: str, method: Method) -> None:
    question = asked(journal)
    with AnthropicServer(answer_with=grades(5, 5)) as server:
        divergence = compare(journal, question, server, LOCAL_FIRST, local)
        assert server.requests == []
    assert divergence is not None
    assert divergence.method is method


def test_what_was_to_stay_here_is_not_judged(journal: Journal) -> None:
    question = asked(journal, online=False)
    with AnthropicServer(answer_with=grades(5, 5)) as server:
        compare(journal, question, server, LOCAL_FIRST)
        assert server.requests == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"reason": "r", "first": 1, "second": 5}', (1, 5, "r")),
        ('```json\n{"reason": "r", "first": 4, "second": 4}\n```', (4, 4, "r")),
        ('{"reason": "r", "first": 0, "second": 5}', None),
        ('{"reason": "r", "first": true, "second": 5}', None),
        ('{"reason": "r", "first": "5", "second": 5}', None),
        ('{"first": 5, "second": 5}', None),
        ("[5, 5]", None),
        ('{"reason": "r", "first": 5, "second"', None),
    ],
)
def test_grades_are_read_or_refused(text: str, expected: tuple[int, int, str] | None) -> None:
    assert read(text) == expected


def drawn(journal: Journal, compared: float, rates: SamplingRates) -> list[bool]:
    """Whether each of 40 questions, compared with one probability, is put before the judge."""
    found = []
    for _ in range(40):
        question = journal.begin("session", LINEAGE, [Message("user", "list all files")], 0, True)
        journal.save(question, [], propensity=compared)
        found.append(is_drawn(journal, journal.question_at(question.number), rates))
    return found


@pytest.mark.parametrize(
    ("rate", "compared", "least", "most"), [(0.5, 1.0, 5, 35), (0.5, 0.5, 40, 40), (0.0, 1.0, 0, 0), (1.0, 1.0, 40, 40)]
)
def test_a_judge_is_asked_about_so_many_questions_as_the_rates_allow_even_where_all_are_compared(
    journal: Journal, rate: float, compared: float, least: int, most: int
) -> None:
    assert least <= sum(drawn(journal, compared, SamplingRates(to_100=rate))) <= most


def test_the_lot_of_a_question_is_the_same_at_each_try(journal: Journal) -> None:
    drawn(journal, 1.0, DEFAULT_RATES)
    for question in journal.recent(40):
        first = is_drawn(journal, question, DEFAULT_RATES)
        assert is_drawn(journal, question, DEFAULT_RATES) is first


def test_the_worst_case_of_a_judgement_holds_the_schema_too(journal: Journal) -> None:
    question = asked(journal)
    with AnthropicServer(answer_with=grades(5, 5)) as server:
        teacher = side(server)
        bare = replace(teacher, max_usd_per_day=teacher.worst_cost_usd(question.context))
        with pytest.raises(BudgetReached):
            bare.complete(journal, question, lambda _: None, sampling=Sampling(schema=SCHEMA))
        assert server.requests == []
