"""The five tools and the loop over them: the built-in model, Claude's wire format, a stand-in for the trainer."""

import json
from pathlib import Path
from typing import Any

import pytest

from shammah.errors import BudgetReached, KeyMissing, TrainerMissing, TrainingError, UsageError
from shammah.quarantine import Origin, Pair
from shammah.teaching import doors, loop
from shammah.teaching.classroom import Classroom
from shammah.teaching.conversation import converse
from shammah.teaching.loop import Plan
from shammah.teaching.pairs import is_test
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Status
from tests.classroom import UNDO, UNDONE, classroom
from tests.fake_trainer import FakeTrainer


def to_learn(count: int, word: str = "thing") -> list[dict[str, str]]:
    """So many pairs that are learnt, none of which is asked."""
    questions = (f"what is {word} number {number}" for number in range(10 * count))
    return [{"question": text, "answer": f"it is {text[-1]}"} for text in questions if not is_test(text)][:count]


def ask_known(room: Classroom) -> None:
    """Let the built-in model be asked what it knows, and what it does not."""
    known = [Pair(UNDO, UNDONE, is_test=True), Pair("who won the cup in 3022", "nobody yet", is_test=True)]
    room.journal.quarantine.receive(known, Origin("teach", "tester", "tests", "code"))


# --- the tools ---


def test_an_answer_comes_with_what_is_known_of_it(tmp_path: Path) -> None:
    with classroom(tmp_path) as room:
        found = doors.call(room, "query_local_model", {"question": UNDO})
    assert found["answer"] == UNDONE
    assert found["is_whole"]
    assert 0 <= found["uncertainty"] < 0.2
    assert found["coherence"] == found["agreement"] == 1.0
    assert (found["quality"], found["on_topic"]) == (None, None), "no lesson and no embedder"
    assert found["hallucination_risk"] == pytest.approx(0.3 * found["uncertainty"] / 0.7)


def test_two_answers_stand_side_by_side(tmp_path: Path) -> None:
    with classroom(tmp_path) as room:
        same = doors.call(room, "compare_responses", {"question": UNDO, "reference": UNDONE})
        other = doors.call(room, "compare_responses", {"question": UNDO, "reference": "nobody can say"})
    assert (same["verdict"], same["divergence"], same["reference_from"]) == ("same", 0.0, "given")
    assert (other["verdict"], other["local"]["answer"]) == ("different", UNDONE)


def test_without_a_reference_claude_is_asked_and_paid(tmp_path: Path) -> None:
    with AnthropicServer([Answer(UNDONE)]) as server, classroom(tmp_path, server.url) as room:
        found = doors.call(room, "compare_responses", {"question": UNDO})
        assert found["verdict"] == "same"
        assert [room.claude.spent_usd, room.journal.spending.usd_today()] == pytest.approx([found["cost_usd"]] * 2)


def test_given_pairs_are_split_and_wait(tmp_path: Path) -> None:
    given = [{"question": f"question {number}", "answer": "x"} for number in range(12)]
    tests = sum(is_test(pair["question"]) for pair in given)
    with classroom(tmp_path, door="mcp") as room:
        found = doors.call(room, "generate_training_data", {"category": "code", "pairs": [*given, given[0]]})
        assert (found["received"], found["kept"], found["tests"]) == (13, 12 - tests, tests)
        assert found["refused"] == [{"reason": "known", "count": 1}]
        assert found["waiting"] == 12 - tests
        again = doors.call(room, "generate_training_data", {"category": "code", "pairs": given})
        assert again["kept"] == again["tests"] == 0
        assert room.journal.examples.live() == []
        kept = room.journal.quarantine.provenance(room.journal.quarantine.of_batch(found["batch"])[0])
        assert kept is not None
        assert (kept.origin.door, kept.origin.author) == ("mcp", "tester 1.0")


def test_claude_writes_pairs_as_it_was_asked(tmp_path: Path) -> None:
    said = "Here:\n```json\n" + json.dumps({"pairs": to_learn(3)}) + "\n```"
    with AnthropicServer([Answer(said)]) as server, classroom(tmp_path, server.url) as room:
        asked = {"category": "math", "count": 3, "difficulty": "hard", "focus": "fractions"}
        found = doors.call(room, "generate_training_data", asked)
        assert (found["kept"], found["cost_usd"] > 0) == (3, True)
        [request] = server.requests
    words = request.body["messages"][0]["content"]
    assert all(word in words for word in ("4 question", "math", "hard", "fractions"))
    assert request.body["output_config"]["format"]["type"] == "json_schema"


def test_without_a_key_pairs_can_be_given_and_that_is_said(tmp_path: Path) -> None:
    with classroom(tmp_path) as room, pytest.raises(KeyMissing) as error:
        doors.call(room, "generate_training_data", {"category": "code"})
    assert "pairs" in error.value.hint


def test_offline_nobody_is_asked_even_with_a_key(tmp_path: Path) -> None:
    with (
        AnthropicServer([Answer("x")]) as server,
        classroom(tmp_path, server.url, SHAMMAH_OFFLINE="1") as room,
        pytest.raises(KeyMissing, match="offline"),
    ):
        doors.call(room, "compare_responses", {"question": "x"})
    assert server.requests == []


def test_a_call_that_could_pass_the_budget_is_not_made(tmp_path: Path) -> None:
    with AnthropicServer([Answer("x")]) as server, classroom(tmp_path, server.url, budget_usd=0.001) as room:
        with pytest.raises(BudgetReached):
            doors.call(room, "compare_responses", {"question": "x"})
        assert server.requests == []
        assert room.journal.spending.usd_today() == 0


def test_the_analysis_asks_what_is_never_learnt(tmp_path: Path) -> None:
    with classroom(tmp_path) as room:
        ask_known(room)
        found = doors.call(room, "analyze_model", {})
        assert (found["tests"], found["right"], found["weak"]) == (2, 1, ["code"])
        assert found["recommendations"][0]["category"] == "code"
        id = room.journal.quarantine.tests()[0].id
        room.journal.examples.edit(id, "mine", 1.0)  # a user lets it be learnt
        assert doors.call(room, "analyze_model", {})["tests"] == 1
        assert doors.call(room, "analyze_model", {"categories": ["math"]})["success"] is None


def test_a_training_brings_figures_and_answers_at_once(tmp_path: Path) -> None:
    with classroom(tmp_path) as room:
        ask_known(room)
        room.journal.quarantine.receive([Pair("a", "b")], Origin("teach", "tester", "batch", "code"))
        room.journal.quarantine.accept("teach")
        found = doors.call(room, "train", {})
        assert (found["state"], found["adapter"]) == ("promoted", "corrections-v1")
        assert found["generator"] == {"before": 3.0, "after": 0.1}
        assert found["router"] == {"before": None, "after": None}
        assert found["success_before"] == 0.5
        assert found["hot_reload"]
        assert found["success_after"] is not None
        assert doors.call(room, "query_local_model", {"question": "a"})["adapters"] == ["corrections-v1:1"]


def test_a_training_that_nobody_waits_for_is_queued(tmp_path: Path) -> None:
    with classroom(tmp_path, SHAMMAH_WORKER_ENABLED="0") as room:
        room.journal.quarantine.receive([Pair("a", "b")], Origin("teach", "tester", "batch", "code"))
        room.journal.quarantine.accept("teach")
        room.journal.trainings.queue(room.base.sha256, is_automatic=False, is_forced=False)
        with pytest.raises(TrainingError, match="training 1 is queued"):
            doors.call(room, "train", {"wait": False})


def test_what_waits_is_no_reason_to_train(tmp_path: Path) -> None:
    with classroom(tmp_path) as room:
        room.journal.quarantine.receive([Pair("a", "b")], Origin("teach", "tester", "batch", "code"))
        with pytest.raises(TrainingError, match="1 examples wait") as error:
            doors.call(room, "train", {})
    assert "accept" in error.value.hint


def test_without_the_trainer_the_tool_says_how_to_install_it(tmp_path: Path) -> None:
    with classroom(tmp_path, fake=FakeTrainer(is_installed=False)) as room, pytest.raises(TrainerMissing):
        doors.call(room, "train", {})


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with classroom(tmp_path) as room, pytest.raises(UsageError) as error:
        doors.call(room, "analyse_model", {})
    assert "Did you mean analyze_model?" in error.value.hint


# --- Claude with the tools ---


def test_claude_looks_and_hands_in(tmp_path: Path) -> None:
    steps = [
        Answer("Let me see.", calls=(("query_local_model", {"question": UNDO}), ("analyze_model", {"categorys": []}))),
        Answer("", calls=(("generate_training_data", {"category": "code", "pairs": to_learn(2)}),)),
        Answer("Done."),
    ]
    heard: list[tuple[str, Any]] = []
    with AnthropicServer(steps) as server, classroom(tmp_path, server.url) as room:
        said = converse(room, "teach it git", lambda name, result: heard.append((name, result)))
        assert room.journal.quarantine.waiting("teach") == 2
        last = server.requests[-1].body
    assert said == "Done."
    assert [name for name, _ in heard] == ["query_local_model", "analyze_model", "generate_training_data"]
    assert {tool["name"] for tool in last["tools"]} == set(doors.NAMES)
    assert [turn["role"] for turn in last["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    told = last["messages"][2]["content"]
    assert UNDONE.split("\n")[0] in told[0]["content"]
    assert told[1]["is_error"]
    assert "Did you mean categories?" in told[1]["content"]


# --- the loop ---


@pytest.fixture
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained is heard everywhere, and questions that are alike are not told."""
    monkeypatch.setattr("shammah.embedding.find_source", lambda python="": None)


def test_what_came_waits_for_its_user_and_the_loop_says_so(tmp_path: Path) -> None:
    steps = [
        Answer("", calls=(("generate_training_data", {"category": "code", "pairs": to_learn(2)}),)),
        Answer("Done."),
    ]
    with AnthropicServer(steps) as server, classroom(tmp_path, server.url) as room:
        ended = loop.run(room, Plan(3, accepts=False))
        assert ended.rounds == ()
        assert "2 examples wait" in ended.reason
        assert room.journal.examples.live() == []
        assert room.journal.trainings.last() is None


@pytest.mark.usefixtures("no_embedder")
def test_the_loop_stops_when_nothing_improves(tmp_path: Path) -> None:
    with AnthropicServer(answer_with=Pupil()) as server, classroom(tmp_path, server.url) as room:
        ask_known(room)
        ended = loop.run(room, Plan(5, accepts=True))
        assert ended.reason == "nothing improved in 2 rounds"
        assert [each.effect for each in ended.rounds] == ["same", "same"]
        assert [each.examples for each in ended.rounds] == [2, 2]
        assert room.claude.spent_usd == pytest.approx(room.journal.spending.usd_today())


@pytest.mark.usefixtures("no_embedder")
def test_a_round_that_makes_things_worse_is_taken_back(tmp_path: Path) -> None:
    spoiler = FakeTrainer(value=3.0)
    with AnthropicServer(answer_with=Pupil()) as server, classroom(tmp_path, server.url, fake=spoiler) as room:
        ask_known(room)
        ended = loop.run(room, Plan(1, accepts=True))
        [only] = ended.rounds
        assert (only.effect, only.before, only.after) == ("worse", 1, 0)
        assert only.training is not None
        assert only.training.adapter == "corrections-v1"
        assert room.journal.adapters.active(room.base.sha256) == ()
        assert room.journal.examples.live() == []
        assert room.journal.quarantine.waiting("teach") == 2
        assert doors.call(room, "query_local_model", {"question": UNDO})["answer"] == UNDONE


def test_the_loop_stops_at_its_budget(tmp_path: Path) -> None:
    """A call costs 4 cents, and 7 or 8 are set aside for it: of 13, two are made, and no third one."""
    pupil = Pupil(output_tokens=4000)
    with AnthropicServer(answer_with=pupil) as server, classroom(tmp_path, server.url, budget_usd=0.13) as room:
        ended = loop.run(room, Plan(50, accepts=True))
        assert ended.reason.startswith("the budget is used up")
        assert (len(ended.rounds), len(server.requests)) == (1, 2)
        assert room.claude.spent_usd == pytest.approx(0.08, abs=0.001)


def test_a_budget_that_covers_no_call_stops_before_the_first(tmp_path: Path) -> None:
    with AnthropicServer([Answer("x")]) as server, classroom(tmp_path, server.url, budget_usd=0.0001) as room:
        with pytest.raises(BudgetReached, match="a call may cost"):
            loop.run(room, Plan(3, accepts=True))
        assert server.requests == []


def test_where_claude_hands_nothing_in_it_is_asked_outright(tmp_path: Path) -> None:
    steps = [Answer("I would rather not."), Answer(json.dumps({"pairs": to_learn(2)}))]
    with AnthropicServer(steps) as server, classroom(tmp_path, server.url) as room:
        ask_known(room)
        ended = loop.run(room, Plan(1, accepts=True))
        assert [each.examples for each in ended.rounds] == [2]


def test_an_error_of_claudes_ends_the_loop_with_it(tmp_path: Path) -> None:
    with AnthropicServer([Status(401, "authentication_error")]) as server, classroom(tmp_path, server.url) as room:
        with pytest.raises(KeyMissing):
            loop.run(room, Plan(1, accepts=True))
        assert room.claude.spent_usd == 0


class Pupil:
    """Claude, as it hands in two new pairs in every conversation and is done."""

    def __init__(self, output_tokens: int = 34) -> None:
        self._output_tokens = output_tokens
        self._conversations = 0

    def __call__(self, body: dict[str, Any]) -> Answer:
        """Hand in, then end."""
        if len(body["messages"]) > 1:
            return Answer("Done.", output_tokens=self._output_tokens)
        self._conversations += 1
        pairs = to_learn(2, f"lesson{self._conversations}")
        called = ("generate_training_data", {"category": "code", "pairs": pairs})
        return Answer("", output_tokens=self._output_tokens, calls=(called,))
