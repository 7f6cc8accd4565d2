"""The one path of a question, with scripted sides, a real journal and real heads."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shammah import features
from shammah.assistant import Assistant
from shammah.divergence import Divergence, Method
from shammah.generation import Finish, Sampling
from shammah.journal import Journal
from shammah.journal.checkpoints import CHECKPOINT_JOB, CHECKPOINT_QUESTIONS
from shammah.policy import Side
from shammah.rates import SamplingRates
from shammah.records.adapters import Adapter
from shammah.records.questions import Question
from shammah.turn import Request
from shammah_convert.chat import Message
from tests.house import LINEAGE, House, count_to, teach
from tests.scripted import Scripted, local_side, teacher_side


def test_without_a_key_the_local_answer_is_given_unverified(journal: Journal) -> None:
    outcome = House(journal).ask()
    assert (outcome.text, outcome.answer.side, outcome.answer.reason) == ("ls -la", "local", "no_key")
    assert not outcome.answer.is_verified
    assert not outcome.question.is_counted


def test_the_question_stands_in_the_journal_before_anyone_answers(journal: Journal) -> None:
    seen: list[list[Question]] = []

    def look(messages: object) -> str:
        seen.append(journal.recent(5))
        return "done"

    House(journal, Scripted(look)).ask("what is asked")
    assert [question.text for question in seen[0]] == ["what is asked"]


def test_a_cold_start_is_forwarded_without_opening_the_local_model(journal: Journal) -> None:
    house = House(journal, teacher=Scripted("git reset", model="claude"))
    outcome = house.ask()
    assert (outcome.text, outcome.answer.side, outcome.answer.reason) == ("git reset", "teacher", "cold_start")
    assert outcome.answer.is_verified
    assert outcome.question.is_counted
    assert not house.local.asked
    assert outcome.question.is_sampled, "every forwarded question up to 200 is compared in the background"
    assert [job.payload for job in journal.jobs.waiting()] == [{"question": outcome.question.number}]


def test_the_hundredth_question_leaves_a_checkpoint_to_the_background(journal: Journal) -> None:
    house = House(journal, teacher=Scripted("git reset"))
    count_to(journal, CHECKPOINT_QUESTIONS - 2)
    for expected in (0, 1, 1):
        house.ask()
        kinds = [job.kind for job in journal.jobs.waiting()]
        assert kinds.count(CHECKPOINT_JOB) == expected


def test_a_teachers_answer_is_an_example_of_weight_1(journal: Journal) -> None:
    House(journal, teacher=Scripted("git reset")).ask("undo")
    (example,) = journal.examples.live()
    assert example.prompt == (Message("user", "undo"),)
    assert example.completion == (Message("assistant", "git reset"),)
    assert (example.weight, example.source, example.rejected) == (1.0, "teacher", None)


@pytest.mark.parametrize("finish", [Finish.LENGTH, Finish.REFUSAL])
def test_an_answer_that_did_not_end_properly_is_no_example(journal: Journal, finish: Finish) -> None:
    outcome = House(journal, teacher=Scripted("git res", finish=finish)).ask()
    assert journal.examples.live() == []
    assert not outcome.answer.is_verified
    assert journal.jobs.waiting() == []


def test_a_trusted_local_model_answers(journal: Journal) -> None:
    house = House(journal, teacher=Scripted("other"))
    count_to(journal, 200)
    teach(house, 40, is_good=True)
    outcome = house.ask()
    assert (outcome.text, outcome.answer.reason, outcome.answer.is_verified) == ("ls -la", "local_confident", True)
    assert outcome.question.router_probability is not None
    assert outcome.question.router_probability > 0.5
    assert outcome.question.propensity == 0.2
    assert not house.teacher or not house.teacher.asked


def test_after_a_swap_more_of_the_local_answers_are_compared(journal: Journal) -> None:
    house = House(journal, teacher=Scripted("other"))
    count_to(journal, 600)
    teach(house, 40, is_good=True)
    assert house.ask().question.propensity == 0.1
    created = "2026-01-01T00:00:00.000Z"
    journal.adapters.add(Adapter("a", LINEAGE, "/a.gguf", "ab" * 32, None, {}, created, None))
    journal.adapters.activate(LINEAGE, (("a", 1.0),), "use")
    assert house.ask().question.propensity == 0.2
    count_to(journal, 199)
    assert house.ask().question.propensity == 0.1


def test_a_follow_up_is_sampled_as_its_conversation_is(journal: Journal) -> None:
    house = House(journal, teacher=Scripted("other"))
    count_to(journal, 600)
    teach(house, 40, is_good=True)
    history = (Message("user", "Is this open to SQL injection?"), Message("assistant", "No."))
    assert house.ask("list all of them", history=history).question.propensity == 0.5


def test_a_distrusted_local_model_is_not_asked(journal: Journal) -> None:
    house = House(journal, teacher=Scripted("other"))
    count_to(journal, 200)
    teach(house, 40, is_good=False)
    outcome = house.ask()
    assert (outcome.answer.side, outcome.answer.reason) == ("teacher", "low_confidence")
    assert not house.local.asked


@pytest.mark.parametrize(
    ("request_", "online"), [({}, True), ({"is_offline": True}, False), ({"forced": Side.LOCAL}, False)]
)
def test_what_was_asked_to_stay_is_marked_to_stay(journal: Journal, request_: dict[str, Any], online: bool) -> None:
    assert House(journal).ask(**request_).question.may_go_online is online


def test_a_short_secret_is_stored_nowhere(journal: Journal) -> None:
    """Too short to be looked for within words, it is still replaced as a word of its own."""
    teacher = Scripted("set PGPASSWORD=<SECRET_1> and try hunter")
    outcome = House(journal, teacher=teacher).ask("why does curl -u bob:hunt https://example.com fail")
    assert outcome.text == "set PGPASSWORD=hunt and try hunter"
    local = House(journal, Scripted("use hunt, not hunter")).ask("why does curl -u bob:hunt https://example.com fail")
    assert local.text == "use hunt, not hunter"
    assert local.answer.text == "use <SECRET_1>, not hunter"
    stored = journal.path.read_bytes().replace(b"hunter", b"")
    assert b"hunt" not in stored


def test_the_teacher_and_the_journal_see_placeholders_and_the_user_the_secret(journal: Journal) -> None:
    key = "sk-ant-" + "a1B2" * 8
    teacher = Scripted(lambda messages: f"you said {messages[-1].content.split()[-1]} twice")
    outcome = House(journal, teacher=teacher).ask(f"rotate {key}")
    assert outcome.text == f"you said {key} twice"
    assert teacher.asked[0][-1].content == "rotate <SECRET_1>"
    assert outcome.answer.text == "you said <SECRET_1> twice"
    assert outcome.redactions == 1
    assert key.encode() not in journal.path.read_bytes()


def test_the_local_model_sees_what_was_typed(journal: Journal) -> None:
    key = "sk-ant-" + "a1B2" * 8
    house = House(journal, Scripted(lambda messages: messages[-1].content))
    assert house.ask(f"rotate {key}").text == f"rotate {key}"
    assert key.encode() not in journal.path.read_bytes()


def test_the_whole_conversation_reaches_the_teacher(journal: Journal) -> None:
    teacher = Scripted("answer")
    history = (Message("user", "first"), Message("assistant", "one"))
    House(journal, teacher=teacher).ask("second", history=history, system="be brief")
    assert [(m.role, m.content) for m in teacher.asked[0]] == [
        ("system", "be brief"),
        ("user", "first"),
        ("assistant", "one"),
        ("user", "second"),
    ]


def test_an_interrupted_answer_keeps_what_was_shown(journal: Journal) -> None:
    presses = iter([False, False, True])
    house = House(journal, Scripted("one two three four"))
    outcome = house.assistant.ask(Request("count", "session"), house.screen, lambda: next(presses, True))
    assert outcome.text == "one two"
    assert outcome.answer.finish == "interrupted"
    assert not outcome.question.is_counted
    kept = journal.shown(outcome.question)
    assert kept is not None
    assert kept.text == "one two"
    assert journal.jobs.waiting() == []


def test_spending_is_settled_at_what_the_call_cost(journal: Journal) -> None:
    House(journal, teacher=Scripted("answer")).ask()
    assert journal.spending.usd_today() == pytest.approx(0.001)


def test_the_embedding_is_asked_for_once_the_router_has_seen_one(journal: Journal) -> None:
    house = House(journal, teacher=Scripted("x"))
    calls: list[str] = []

    def embed(text: str) -> features.Vector:
        calls.append(text)
        return np.asarray(np.eye(1, 384)[0], dtype=np.float32)

    house.assistant = Assistant(journal, house.heads, local_side(house.local), teacher_side(house.teacher), embed)
    question = house.ask().question
    assert calls == []
    assert question.embedding is None
    answer = House(journal).ask(forced=Side.LOCAL).answer
    question = journal.note_embedding(question, embed("seen"))
    journal.lessons.teach(question, answer, Divergence(0.1, Method.SEMANTIC), True)
    assert house.ask("again").question.embedding is not None
    assert calls == ["seen", "again"]


def test_the_sampling_settings_reach_the_local_model(journal: Journal) -> None:
    got: list[Sampling] = []

    class Listening(Scripted):
        def stream(self, messages, sampling, stop=None, limit_tokens=None):  # type: ignore[no-untyped-def]
            got.append(sampling)
            return super().stream(messages, sampling)

    wanted = Sampling(max_tokens=7, temperature=0.5, seed=3)
    House(journal, Listening("x")).ask(sampling=wanted)
    assert got == [wanted]
    assert replace(wanted, seed=4) != wanted


@pytest.mark.parametrize(("rate", "is_sampled"), [(0.0, False), (1.0, True)])
def test_the_rate_that_the_user_set_decides_what_is_compared(journal: Journal, rate: float, is_sampled: bool) -> None:
    house = House(journal, teacher=Scripted("from claude"))
    house.assistant = Assistant(
        journal,
        house.heads,
        local_side(house.local),
        teacher_side(house.teacher),
        rates=SamplingRates(to_500=rate, architecture_factor=1.0, security_factor=1.0),
    )
    count_to(journal, 200)
    teach(house, 10, is_good=False)
    question = house.ask().question
    assert (question.is_sampled, question.propensity) == (is_sampled, rate)
    assert bool(journal.jobs.waiting()) is is_sampled
