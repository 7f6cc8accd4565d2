"""The one path of a question, with scripted sides, a real journal and real heads."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah import early, features
from shammah.assistant import Assistant
from shammah.divergence import Divergence, Method
from shammah.errors import (
    BudgetReached,
    ContextTooLong,
    EngineDied,
    KeyMissing,
    ModelMissing,
    NothingVerified,
    TeacherError,
    UsageError,
)
from shammah.generation import Finish, Sampling
from shammah.journal import Journal
from shammah.journal.checkpoints import CHECKPOINT_JOB, CHECKPOINT_QUESTIONS
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.rates import SamplingRates
from shammah.records.adapters import Adapter
from shammah.records.questions import Question
from shammah.turn import Outcome, Request
from shammah_convert.chat import Message
from tests.many import ask_again
from tests.scripted import Recorder, Scripted, local_side, teacher_side

LINEAGE = "f" * 64


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened


class House:
    """An assistant with everything that a test looks at."""

    def __init__(
        self, journal: Journal, local: Scripted | None = None, teacher: Scripted | None = None, usd: float = 1.0
    ) -> None:
        self.journal = journal
        self.local = local or Scripted("ls -la")
        self.teacher = teacher
        self.heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
        self.screen = Recorder()
        self.assistant = Assistant(
            journal, self.heads, local_side(self.local), teacher_side(teacher, usd), chance=random.Random(0)
        )

    def ask(self, text: str = "list all files", **request: Any) -> Outcome:
        return self.assistant.ask(Request(text, "session", **request), self.screen)


def count_to(journal: Journal, count: int, text: str = "list all files") -> None:
    """Let so many counted questions have been asked."""
    question = journal.begin("other", LINEAGE, [Message("user", text)], 0, True)
    ask_again(journal, journal.note_route(question, features.of_question(text), None, 0.5), count - 1)


def teach(house: House, lessons: int, is_good: bool) -> None:
    """Let the heads have seen so many outcomes of the scripted local answer."""
    quiet = House(house.journal, Scripted(house.local.reply), None)
    for _ in range(lessons):
        outcome = quiet.ask(forced=Side.LOCAL)
        hand = features.of_question("list all files")
        question = house.journal.note_route(outcome.question, hand, None, 0.5)
        value = Divergence(0.0 if is_good else 1.0, Method.SEMANTIC)
        house.journal.lessons.teach(question, outcome.answer, value, is_good)


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


def test_a_rejected_local_answer_is_forwarded(journal: Journal) -> None:
    house = House(journal, local=Scripted(""), teacher=Scripted("the right one"))
    count_to(journal, 200)
    teach(House(journal), 40, is_good=True)
    outcome = house.ask()
    assert (outcome.text, outcome.answer.reason) == ("the right one", "rejected_draft")
    assert house.screen.text == "the right one"
    assert [answer.side for answer in journal.answers(outcome.question)] == ["local", "teacher"]
    assert outcome.question.is_sampled, "both answers are here: comparing them costs nothing"


SUM = "how many apples are 3 + 4"


def undecided(journal: Journal, second: str) -> House:
    """A house whose validator is not sure of a local answer, which a second try confirms or not."""
    said = iter(["so 7", second])
    house = House(journal, Scripted(lambda _: next(said)), Scripted("the right one"))
    count_to(journal, 200)
    teach(House(journal, Scripted("so 7")), 6, is_good=True)
    while p_of_sum(journal) > 0.47:
        teach(House(journal, Scripted("so 7")), 1, is_good=False)
    route_locally(house)
    return house


def p_of_sum(journal: Journal) -> float:
    """What the validator says of the scripted answer now."""
    outcome = House(journal, Scripted("so 7")).ask(SUM, forced=Side.LOCAL)
    assert outcome.validator_probability is not None
    assert outcome.validator_probability > 0.35
    return outcome.validator_probability


def test_of_an_undecided_validator_a_second_answer_with_the_same_result_keeps_the_first(journal: Journal) -> None:
    house = undecided(journal, "3 + 4 = 7")
    outcome = house.ask(SUM)
    assert (outcome.text, outcome.answer.reason, outcome.answer.is_verified) == ("so 7", "local_confident", True)
    assert len(house.local.asked) == 2
    assert outcome.validator_probability is not None
    assert outcome.validator_probability >= 0.5, "what is recorded is what decided"
    assert house.screen.text == "so 7"
    assert len(journal.answers(outcome.question)) == 1


def test_of_an_undecided_validator_a_second_answer_with_another_result_forwards(journal: Journal) -> None:
    house = undecided(journal, "so 8")
    assert house.ask(SUM).answer.reason == "rejected_draft"
    assert len(house.local.asked) == 2


def route_locally(house: House) -> None:
    """Let the router trust the local model, whatever the validator has seen since."""
    question = house.journal.note_features(house.journal.recent(1)[0], features.of_question("list all files"))
    repeat(house.journal, "router", question.number, None, True)


def repeat(journal: Journal, head: str, question: int, answer: int | None, is_good: bool) -> None:
    """Many lessons at once, as users give them."""
    for _ in range(100):
        journal._db.execute(
            "INSERT INTO lessons (created, head, lineage, question, answer, is_good, weight, source)"
            " VALUES ('', ?, ?, ?, ?, ?, 1, 'user')",
            (head, LINEAGE, question, answer, is_good),
        )


def rambling(journal: Journal, words: int) -> House:
    """A house whose validator has seen many bad answers like the one that comes."""
    said = " ".join(["word"] * words)
    house = House(journal, Scripted(said), Scripted("the right one"))
    count_to(journal, 200)
    like_it = " ".join(["word"] * (early.TOKENS + 4))
    teach(House(journal, Scripted(like_it)), 1, is_good=False)
    question = journal.recent(1)[0]
    repeat(journal, "validator", question.number, journal.answers(question)[0].id, False)
    route_locally(house)
    return house


def test_a_draft_that_begins_hopelessly_is_stopped_there(journal: Journal) -> None:
    outcome = rambling(journal, 500).ask()
    assert (outcome.text, outcome.answer.reason) == ("the right one", "rejected_draft")
    draft = next(answer for answer in journal.answers(outcome.question) if answer.side == "local")
    assert (draft.finish, draft.completion_tokens) == ("hopeless", early.TOKENS)
    assert outcome.question.is_sampled


def test_a_stopped_draft_is_answered_anew_where_it_has_to_stand_in_or_to_be_compared(journal: Journal) -> None:
    house = rambling(journal, 60)
    outcome = house.ask()
    comparison = Comparison(journal, house.heads, local_side(house.local), teacher_side(None), None, Sampling(100))
    assert label(comparison, outcome.question) is not None
    compared = next(answer for answer in journal.answers(outcome.question) if answer.divergence is not None)
    assert (compared.text, compared.finish) == (house.local.reply, "stop")
    house.assistant = House(journal, house.local, Scripted(TeacherError("overloaded"))).assistant
    outcome = house.ask()
    assert (outcome.text, outcome.answer.reason) == (house.local.reply, "teacher_failed")
    assert [answer.finish for answer in journal.answers(outcome.question)] == ["hopeless", "stop"]


def test_where_nobody_else_would_answer_a_draft_is_not_stopped(journal: Journal) -> None:
    house = rambling(journal, 60)
    assert House(journal, house.local).ask().text == house.local.reply


def test_a_cut_local_answer_is_forwarded(journal: Journal) -> None:
    house = House(journal, Scripted("ls -la", finish=Finish.LENGTH), Scripted("whole"))
    count_to(journal, 200)
    teach(House(journal), 40, is_good=True)
    assert house.ask().answer.reason == "rejected_draft"


def test_when_the_teacher_fails_the_local_answer_is_given_and_marked(journal: Journal) -> None:
    outcome = House(journal, teacher=Scripted(TeacherError("overloaded"))).ask()
    assert (outcome.text, outcome.answer.reason, outcome.answer.is_verified) == ("ls -la", "teacher_failed", False)
    assert journal.examples.live() == []
    assert journal.jobs.waiting() == [], "an answer that stands in for the teacher's teaches nothing"
    assert not outcome.question.is_counted, "no teacher was available after all"


def test_a_question_that_kills_the_local_model_is_answered_by_the_teacher_and_teaches_nothing(journal: Journal) -> None:
    count_to(journal, 300)
    house = House(journal, Scripted(EngineDied("it died")), Scripted("git reset", model="claude"))
    teach(House(journal), 30, is_good=True)
    outcome = house.ask()
    assert (outcome.text, outcome.answer.side, outcome.answer.reason) == ("git reset", "teacher", "local_failed")
    assert house.screen.discarded == [("", "the local model failed (it died); Claude answers")]
    assert not outcome.question.is_counted
    assert not journal.jobs.waiting()


def test_a_question_that_kills_the_local_model_is_an_error_where_nobody_else_may_answer(journal: Journal) -> None:
    teacher = Scripted("git reset", model="claude")
    house = House(journal, Scripted(EngineDied("it died")), teacher)
    with pytest.raises(EngineDied):
        house.ask(forced=Side.LOCAL)
    with pytest.raises(EngineDied):
        house.ask(is_offline=True)
    assert not teacher.asked


@pytest.mark.parametrize(("is_free", "spent"), [(True, 0.0), (False, 0.01006)])
def test_a_failed_call_costs_its_worst_case_unless_it_was_surely_free(
    journal: Journal, is_free: bool, spent: float
) -> None:
    error = TeacherError("gone")
    error.is_free = is_free
    House(journal, teacher=Scripted(error)).ask()
    # 30 tokens at most for the 14 bytes and their frame at $2, 1,000 at $10 a million
    assert journal.spending.usd_today() == pytest.approx(spent)


def test_when_the_teacher_fails_on_a_question_too_long_to_stand_in_for_that_is_the_error(journal: Journal) -> None:
    house = House(journal, Scripted(context_tokens=3), Scripted(TeacherError("overloaded")))
    with pytest.raises(TeacherError, match="overloaded"):
        house.ask("one two three four")


def test_a_refused_key_degrades_as_well(journal: Journal) -> None:
    assert House(journal, teacher=Scripted(KeyMissing("refused"))).ask().answer.reason == "teacher_failed"


@pytest.mark.parametrize("finish", [Finish.STOP, Finish.REFUSAL, Finish.LENGTH])
def test_an_empty_answer_counts_as_failed(journal: Journal, finish: Finish) -> None:
    assert House(journal, teacher=Scripted("", finish=finish)).ask().answer.reason == "teacher_failed"


@pytest.mark.parametrize("finish", [Finish.REFUSAL, Finish.LENGTH])
def test_a_verified_answer_is_a_whole_one(journal: Journal, finish: Finish) -> None:
    house = House(journal, teacher=Scripted("git res", finish=finish))
    with pytest.raises(NothingVerified):
        house.ask(wants_verified=True)
    assert house.screen.text == ""
    assert [answer.is_shown for answer in journal.answers(journal.recent(1)[0])] == [False]


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


def test_a_forced_teacher_that_fails_is_an_error(journal: Journal) -> None:
    house = House(journal, teacher=Scripted(TeacherError("overloaded")))
    with pytest.raises(TeacherError, match="overloaded"):
        house.ask(forced=Side.TEACHER)
    assert not house.local.asked
    assert len(journal.recent(5)) == 1, "what was asked stays"


@pytest.mark.parametrize(
    ("request_", "teacher", "usd", "error"),
    [
        ({"forced": Side.TEACHER}, None, 1.0, KeyMissing),
        ({"forced": Side.TEACHER}, Scripted("x"), 0.0, BudgetReached),
        ({"forced": Side.TEACHER, "is_offline": True}, Scripted("x"), 1.0, UsageError),
        ({"wants_verified": True}, None, 1.0, NothingVerified),
        ({"wants_verified": True}, Scripted("x"), 0.0, BudgetReached),
        ({"wants_verified": True, "is_offline": True}, Scripted("x"), 1.0, NothingVerified),
        ({"wants_verified": True}, Scripted(TeacherError("late")), 1.0, NothingVerified),
    ],
)
def test_what_cannot_be_had_is_an_error_that_says_why(
    journal: Journal, request_: dict[str, Any], teacher: Scripted | None, usd: float, error: type[Exception]
) -> None:
    house = House(journal, teacher=teacher, usd=usd)
    with pytest.raises(error):
        house.ask(**request_)
    assert house.screen.text == ""


@pytest.mark.parametrize(
    ("request_", "teacher", "usd", "reason"),
    [
        ({"forced": Side.LOCAL}, Scripted("x"), 1.0, Reason.FORCED),
        ({"is_offline": True}, Scripted("x"), 1.0, Reason.OFFLINE),
        ({}, None, 1.0, Reason.NO_KEY),
        ({}, Scripted("x"), 0.0, Reason.BUDGET),
    ],
)
def test_where_the_teacher_may_not_be_asked_nobody_asks_it(
    journal: Journal, request_: dict[str, Any], teacher: Scripted | None, usd: float, reason: Reason
) -> None:
    outcome = House(journal, teacher=teacher, usd=usd).ask(**request_)
    assert (outcome.answer.side, outcome.answer.reason) == ("local", reason)
    assert not teacher or not teacher.asked
    assert not outcome.question.is_counted
    assert journal.jobs.waiting() == []


def test_a_question_that_is_too_long_is_forwarded_once_the_router_may_choose(journal: Journal) -> None:
    house = House(journal, Scripted(context_tokens=3), Scripted("long answer"))
    count_to(journal, 60)
    assert house.ask("one two three four").answer.reason == "context_too_long"


def test_a_question_that_is_too_long_and_must_stay_is_refused(journal: Journal) -> None:
    with pytest.raises(ContextTooLong):
        House(journal, Scripted(context_tokens=3)).ask("one two three four")


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


def test_without_a_local_model_the_teacher_answers(journal: Journal) -> None:
    heads = Heads(journal.path.parent, journal, "", "bayes")
    assistant = Assistant(journal, heads, None, teacher_side(Scripted("from claude")))
    outcome = assistant.ask(Request("list files", "session"), Recorder())
    assert (outcome.text, outcome.answer.reason) == ("from claude", "model_not_ready")
    assert journal.jobs.waiting() == [], "there is nobody to compare with"


def test_without_any_side_the_missing_model_is_the_error(journal: Journal) -> None:
    heads = Heads(journal.path.parent, journal, "", "bayes")
    with pytest.raises(ModelMissing):
        Assistant(journal, heads, None, teacher_side(None)).ask(Request("list files", "session"), Recorder())


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


def test_a_learned_validator_vouches_without_a_teacher_too(journal: Journal) -> None:
    house = House(journal)
    count_to(journal, 200)
    teach(house, 40, is_good=True)
    outcome = house.ask(wants_verified=True)
    assert outcome.answer.is_verified
    assert outcome.validator_probability is not None
    assert outcome.validator_probability > 0.5


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
