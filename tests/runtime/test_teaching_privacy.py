"""What a user keeps here does not reach Claude by the tools of teaching either."""

from pathlib import Path
from typing import Any

import pytest

from shammah.errors import StaysHere
from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.quarantine import Origin, Pair
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.teaching import doors
from shammah.teaching.conversation import converse
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.classroom import UNDO, classroom

LINEAGE = "f" * 64
ASK = ("query_local_model", {"question": UNDO, "asks_twice": False})


def never(pattern: str) -> dict[str, Any]:
    return {"SHAMMAH_PRIVACY_NEVER_FORWARD": pattern}


def sent(server: AnthropicServer) -> str:
    return str([request.body for request in server.requests])


def correct(journal: Journal, text: str, may_go_online: bool) -> None:
    """A question of the user's own, with the answer that he gave."""
    question = journal.begin("here", LINEAGE, [Message("user", text)], 0, may_go_online)
    journal.save(question, [NewAnswer("local", True, "x", "local_confident", "stop", "m", (), False, 1, 1, {})])
    rate(journal, question, Feedback(Rating.CRITICAL, "", "this is right"), has_teacher=False)


def test_what_the_local_model_says_stays_here_where_it_matches(tmp_path: Path) -> None:
    script = [Answer("I look.", calls=(ASK,)), Answer("I see.")]
    with AnthropicServer(script) as server, classroom(tmp_path, server.url, **never("reset --soft")) as room:
        assert converse(room, "look at git") == "I see."
        assert len(server.requests) == 2
    assert "reset --soft" not in sent(server)
    assert "privacy.never_forward" in sent(server)


@pytest.mark.parametrize("tool", ["query_local_model", "compare_responses"])
def test_an_mcp_client_is_not_told_either(tmp_path: Path, tool: str) -> None:
    asked = {"question": UNDO} | ({"reference": "x"} if tool == "compare_responses" else {})
    with classroom(tmp_path, door="mcp", **never("reset --soft")) as room, pytest.raises(StaysHere):
        doors.call(room, tool, asked)


@pytest.mark.parametrize("focus", ["our acme deploys", "why password=acme2Grow!x fails"])
def test_a_focus_that_matches_is_not_told(tmp_path: Path, focus: str) -> None:
    with (
        AnthropicServer([Answer("[]")]) as server,
        classroom(tmp_path, server.url, **never("acme")) as room,
        pytest.raises(StaysHere),
    ):
        doors.call(room, "generate_training_data", {"category": "code", "focus": focus})
    assert server.requests == []


def test_no_question_of_the_users_own_is_told(tmp_path: Path) -> None:
    with AnthropicServer([Answer("[]")]) as server, classroom(tmp_path, server.url, **never("acme")) as room:
        correct(room.journal, "what does our plan cost", may_go_online=False)
        correct(room.journal, "what does a truck cost", may_go_online=True)
        taught = [Pair("how deep is the sea", "deep"), Pair("who made acme", "she")]
        room.journal.quarantine.receive(taught, Origin("teach", "claude", "1", "science"))
        room.journal.quarantine.receive([Pair("where is our safe", "there")], Origin("mcp", "other 1.0", "2", "other"))
        doors.call(room, "generate_training_data", {"category": "science"})
    assert "how deep is the sea" in sent(server)
    assert not any(word in sent(server) for word in ("plan", "truck", "safe", "acme"))
