"""Questions that go to the teacher: the real SDK in a child process, a real server, the worker behind it."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shammah import features
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Behaviour, CutClean, Status
from tests.many import ask_again
from tests.whole.command import Home
from tests.whole.test_ask import SCHEMA

KEY = "sk-ant-" + "test" * 6


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer([Answer("git reset --soft HEAD~1")]) as running:
        yield running


def home_with(server: AnthropicServer, path: Path, **variables: str) -> Home:
    return Home.used(path, {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url, **variables})


def bodies(server: AnthropicServer) -> list[dict[str, Any]]:
    return [request.body for request in server.requests]


def test_the_first_questions_go_to_the_teacher(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_WORKER_ENABLED="false")
    outcome = home.ask("undo my last commit")
    jsonschema.validate(outcome, SCHEMA)
    assert outcome["answer"] == "git reset --soft HEAD~1"
    assert (outcome["route"], outcome["reason"], outcome["verified"]) == ("teacher", "cold_start", True)
    assert outcome["cost_usd"] == pytest.approx((12 * 2 + 34 * 10) / 1e6), "the list price of claude-sonnet-5-5"
    (body,) = bodies(server)
    assert body["model"] == "claude-sonnet-5-5"
    assert body["messages"] == [{"role": "user", "content": "undo my last commit"}]
    assert not {"temperature", "top_p", "top_k"} & body.keys()


def test_the_worker_compares_both_sides_and_teaches_the_heads(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path)
    outcome = home.ask("undo my last commit")
    home.wait_for_worker()
    with home.journal() as journal:
        question = journal.question(outcome["id"])
        assert question is not None
        local, _ = sorted(journal.answers(question), key=lambda answer: answer.side)
        assert (local.side, local.reason, local.is_shown) == ("local", "sampled", False)
        assert local.divergence is not None
        assert local.method in ("semantic", "exact"), "MiniLM is installed beside the tests"
        assert question.embedding is not None
        assert journal.lessons.last("router", question.lineage) == 1
        assert journal.lessons.last("validator", question.lineage) > 0
    assert len(bodies(server)) == 1, "the local model costs no further teacher call"
    assert (tmp_path / "heads" / question.lineage[:16] / "router.npz").is_file()
    assert (tmp_path / "heads" / question.lineage[:16] / "validator.npz").is_file()


def test_a_judge_grades_where_the_user_wishes_it_and_its_cost_is_shown(tmp_path: Path) -> None:
    def answer_with(body: dict[str, Any]) -> Behaviour:
        is_judge = "output_config" in body
        return Answer('{"reason": "Both do.", "first": 4, "second": 4}' if is_judge else "git reset --soft HEAD~2")

    with AnthropicServer(answer_with=answer_with) as server:
        home = home_with(server, tmp_path, SHAMMAH_DIVERGENCE_METHOD="judge", SHAMMAH_SAMPLING_TO_100="1")
        outcome = home.ask("undo my last commit")
        home.wait_for_worker()
        assert len(bodies(server)) == 2
    with home.journal() as journal:
        (lesson,) = journal.lessons.of("router", journal.recent(1)[0].lineage, 0)
        assert (lesson.is_good, lesson.weight) == (True, 1.0)
        assert journal.spending.usd_today() == pytest.approx(2 * (12 * 2 + 34 * 10) / 1e6)
    shown = home.run("log", "show", outcome["id"]).stdout
    assert "divergence 0.00 (judge)" in shown
    assert "[judge: claude-sonnet-5-5, local 4, teacher 4 of 5, $0.000364" in shown


def test_a_judge_is_not_paid_beyond_the_sampling_rates(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_DIVERGENCE_METHOD="judge", SHAMMAH_SAMPLING_TO_100="0")
    outcome = home.ask("undo my last commit")
    home.wait_for_worker()
    assert len(bodies(server)) == 1, "the answer alone"
    assert "(judge)" not in home.run("log", "show", outcome["id"]).stdout
    with home.journal() as journal:
        assert journal.lessons.last("router", journal.recent(1)[0].lineage) == 1, "it was compared all the same"


def test_a_sampled_teacher_answer_that_differs_is_announced_by_the_next_command(
    server: AnthropicServer, tmp_path: Path
) -> None:
    home = home_with(server, tmp_path, SHAMMAH_WORKER_ENABLED="false")
    first = home.ask("which process listens on port 8080", "--local")
    with home.journal() as journal:
        journal._db.execute("UPDATE questions SET may_go_online = 1")  # as if the router had chosen
        question = journal.question(first["id"])
        assert question is not None
        journal.note_route(question, features.of_question(question.text), None, 0.9)
        journal.jobs.enqueue("label", {"question": question.number})
    replace(home, variables=home.variables | {"SHAMMAH_WORKER_ENABLED": "true"}).ask("list files", "--local")
    home.wait_for_worker()
    with home.journal() as journal:
        assert [example.completion[0].content for example in journal.examples.live()] == ["git reset --soft HEAD~1"]
    said = home.run("ask", "list files", "--local").stderr
    assert f"shammah log show {first['id']}" in said
    assert f"shammah log show {first['id']}" not in home.run("ask", "list files", "--local").stderr


def test_when_claude_fails_the_local_answer_is_given_and_nothing_is_learnt(tmp_path: Path) -> None:
    with AnthropicServer([Status(400, "invalid_request_error", "no")]) as server:
        home = home_with(server, tmp_path)
        outcome = home.ask("list all files")
        assert (outcome["route"], outcome["reason"], outcome["verified"]) == ("local", "teacher_failed", False)
        assert home.run("ask", "--teacher", "list all files").returncode == 1
        with home.journal() as journal:
            assert journal.examples.live() == []
            assert journal.jobs.waiting() == []


def test_a_cut_answer_is_replaced_and_never_becomes_an_example(tmp_path: Path) -> None:
    with AnthropicServer([CutClean("git re")]) as server:
        home = home_with(server, tmp_path)
        done = home.run("ask", "undo my last commit")
        assert done.returncode == 0
        assert not done.stdout.startswith("git re\n")
        assert "Claude failed" in done.stderr
        with home.journal() as journal:
            assert journal.examples.live() == []


def test_a_refused_key_says_so(tmp_path: Path) -> None:
    with AnthropicServer([Status(401, "authentication_error", "invalid x-api-key")]) as server:
        done = home_with(server, tmp_path).run("ask", "--teacher", "hello")
        assert done.returncode == 3
        assert "refused the key" in done.stderr


def test_the_budget_is_never_overrun(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_TEACHER_MAX_USD_PER_DAY="0.001")
    outcome = home.ask("undo my last commit")
    assert (outcome["route"], outcome["reason"]) == ("local", "budget")
    assert home.run("ask", "--teacher", "undo").returncode == 5
    assert home.run("ask", "--verified", "undo").returncode == 5
    assert bodies(server) == []


def test_offline_and_local_send_nothing(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path)
    assert home.ask("list files", "--offline")["reason"] == "offline"
    assert home.ask("list files", "--local")["reason"] == "forced"
    assert home.run("ask", "--verified", "--offline", "list files").returncode == 4
    home.wait_for_worker()
    assert bodies(server) == []


def test_a_conversation_that_began_here_stays_here(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_WORKER_ENABLED="false")
    home.ask("a private matter", "--local")
    done = home.run("ask", "-c", "and then")
    assert done.returncode == 0
    assert "stays on this machine" in done.stderr
    home.ask("-c", "and after that")
    assert bodies(server) == []
    home.ask("-c", "--teacher", "what do you think")
    assert len(bodies(server)[0]["messages"]) == 7, "the user said so, and the teacher gets it whole"


def test_an_offline_question_starts_no_worker_that_goes_online(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_WORKER_ENABLED="false")
    first = home.ask("undo my last commit", "--local")
    with home.journal() as journal:
        question = journal.question(first["id"])
        assert question is not None
        journal._db.execute("UPDATE questions SET may_go_online = 1")
        journal.jobs.enqueue("label", {"question": question.number})
    replace(home, variables=home.variables | {"SHAMMAH_WORKER_ENABLED": "true"}).ask("list files", "--offline")
    with home.journal() as journal:
        deadline = time.monotonic() + 60
        while not journal._db.execute("SELECT 1 FROM jobs WHERE error = 'offline'").fetchone():
            assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
            time.sleep(0.1)
    assert bodies(server) == []


def test_a_verified_answer_comes_from_claude_until_the_validator_has_learnt(
    server: AnthropicServer, tmp_path: Path
) -> None:
    assert home_with(server, tmp_path).ask("--verified", "undo")["verified"] is True


def test_a_question_too_long_for_the_local_model_is_forwarded(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_WORKER_ENABLED="false")
    home.ask("list files", "--local")
    with home.journal() as journal:
        other = journal.begin("other", journal.recent(1)[0].lineage, [Message("user", "list files")], 0, True)
        ask_again(journal, journal.note_route(other, features.of_question("list files"), None, 0.5), 59)
    outcome = home.ask("word " * 3000)
    assert (outcome["route"], outcome["reason"]) == ("teacher", "context_too_long")


def test_a_secret_reaches_neither_claude_nor_the_disk(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3" * 6
    with AnthropicServer(answer_with=lambda body: Answer("keep <SECRET_1> safe")) as server:
        home = home_with(server, tmp_path)
        outcome = home.ask(f"is {secret} still valid")
        home.wait_for_worker()
        assert outcome["answer"] == f"keep {secret} safe"
        assert outcome["redactions"] == 1
        assert secret not in str(bodies(server))
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


def test_the_conversation_goes_to_the_teacher_as_a_whole(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_WORKER_ENABLED="false")
    home.ask("undo my last commit")
    home.ask("-c", "--system", "be brief", "and the one before")
    assert bodies(server)[1]["system"] == "be brief"
    assert [turn["role"] for turn in bodies(server)[1]["messages"]] == ["user", "assistant", "user"]


def test_the_key_is_never_stored(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path)
    home.ask("undo my last commit")
    home.wait_for_worker()
    database = sqlite3.connect(tmp_path / "shammah.db")
    assert KEY not in "\n".join(database.iterdump())
    database.close()
    assert KEY not in (tmp_path / "worker.log").read_text()


def test_a_teacher_that_is_away_delays_three_questions_and_no_fourth(tmp_path: Path) -> None:
    with AnthropicServer([Status(529, "overloaded_error", "Overloaded", {"retry-after": "900"})]) as server:
        home = home_with(server, tmp_path, SHAMMAH_WORKER_ENABLED="false")
        answers = [home.ask("list hidden files") for _ in range(4)]
        assert {(answer["route"], answer["reason"]) for answer in answers} == {("local", "teacher_failed")}
        assert len(bodies(server)) == 3, "the fourth was answered without asking"
        said = home.run("ask", "list hidden files").stderr
        assert "Claude was out of reach 3 times in a row since" in said
        assert home.run("ask", "--teacher", "list hidden files").returncode == 1
        assert len(bodies(server)) == 4, "whoever insists is heard"
        assert "out of reach" in home.run("doctor").stdout
