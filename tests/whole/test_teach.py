"""`shammah teach` and the quarantine as users have them."""

import json
from pathlib import Path
from typing import Any

import pytest

from shammah.quarantine import Origin, Pair
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.classroom import prepare
from tests.fake_trainer import FakeTrainer
from tests.runtime.test_teaching import Pupil
from tests.whole.command import Home


def home_at(path: Path, url: str = "", **variables: str) -> Home:
    prepare(path)
    key = {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": url} if url else {}
    python = FakeTrainer().write(path)
    return Home(path, {"SHAMMAH_TRAINER_PYTHON": python, "SHAMMAH_WORKER_ENABLED": "0"} | key | variables)


def fill(home: Home, door: Any = "mcp") -> None:
    with home.journal() as journal:
        pairs = [Pair("how do i deploy", "make deploy"), Pair("how do i test", "make test")]
        journal.quarantine.receive(pairs, Origin(door, "claude-code 2.0", "b1", "code", "easy", "make"))


def test_a_round_is_taught_accepted_and_told_in_plain_lines(tmp_path: Path) -> None:
    with AnthropicServer(answer_with=Pupil()) as server:
        done = home_at(tmp_path, server.url).run("teach", "our make targets", "--rounds", "1", "--accept")
        assert done.returncode == 0, done.stderr
        assert "our make targets" in json.dumps(server.requests[0].body)
    lines = done.stdout.splitlines()
    assert lines[0] == "Round 1: asking the test questions"
    assert "Claude: generate_training_data: 2 new examples, 0 test questions" in lines
    assert lines[-1].startswith("Stopped: 1 round is over (1 round, 0 with a gain; $")


def test_without_accept_nothing_is_learnt_before_a_look(tmp_path: Path) -> None:
    with AnthropicServer(answer_with=Pupil()) as server:
        home = home_at(tmp_path, server.url)
        done = home.run("teach")
        assert done.returncode == 0, done.stderr
        assert "2 examples wait" in done.stdout
        accepted = home.run("examples", "accept", "--source", "teach")
        assert "2 examples are accepted" in accepted.stderr
        again = home.run("teach", "--rounds", "1")
    assert "Training on 2 new examples" in again.stdout


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [({}, 3, "there is no key"), ({"SHAMMAH_OFFLINE": "1"}, 2, "nothing may leave this machine")],
)
def test_without_claude_teaching_is_refused(tmp_path: Path, variables: dict[str, str], code: int, said: str) -> None:
    done = home_at(tmp_path, **variables).run("teach")
    assert done.returncode == code
    assert said in done.stderr


def test_one_conversation_has_a_round_at_its_prompt(tmp_path: Path) -> None:
    with AnthropicServer([Answer("Done."), Answer('{"pairs": []}')]) as server:
        done = home_at(tmp_path, server.url).run("chat", stdin="/teach git\n")
    assert "Stopped: no new example came of it" in done.stdout, done.stderr


def test_what_waits_is_listed_shown_accepted_and_purged(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    fill(home)
    listed = home.run("examples", "list", "--state", "waiting").stdout
    assert "make deploy" in listed
    id = listed.split()[0]
    shown = home.run("examples", "show", id).stdout
    assert "from claude-code 2.0 by mcp, batch b1 (code, easy, make)" in shown
    assert "not accepted" in shown
    assert home.run("examples", "accept", id).stderr.startswith("1 example is accepted")
    assert home.run("examples", "list", "--source", "mcp", "--state", "live").stdout.split()[0] == id
    assert json.loads(home.run("train").stdout.splitlines()[-1])["event"] == "promoted"
    unasked = home.run("examples", "purge", "--source", "mcp")
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    purged = home.run("examples", "purge", "--source", "mcp", "--yes")
    assert purged.returncode == 0
    assert "Learnt from by: corrections-v1" in purged.stderr
    assert "shammah train --afresh" in purged.stderr
    assert "There are no examples yet" in home.run("examples", "list").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("accept",), "what is to be accepted?"),
        (("accept", "--source", "mpc"), "nothing comes in by 'mpc'"),
        (("accept", "nonsense"), "no one example that waits"),
        (("purge",), "what is to be purged?"),
        (("list", "--state", "asleep"), "no example is 'asleep'"),
        (("list", "--source", "moon"), "no example comes from 'moon'"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = Home(tmp_path).run("examples", *words)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(("budget", "code"), [("nan", 2), ("inf", 2), ("0", 5)])
def test_without_a_budget_claude_is_not_asked(tmp_path: Path, budget: str, code: int) -> None:
    with AnthropicServer(answer_with=Pupil()) as server:
        done = home_at(tmp_path, server.url).run("teach", "--budget", budget)
        assert done.returncode == code, done.stderr
        assert not server.requests
