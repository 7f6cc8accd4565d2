"""Anthropic's API by its own client; and both APIs with a teacher behind them."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from shammah.serve.token import token_of
from tests.anthropic_server import AnthropicServer
from tests.asked import Asked, judge
from tests.behaviours import Answer, Behaviour, CutClean, Status
from tests.known import record_seedling
from tests.many import ask_again
from tests.serving import Serving
from tests.whole.command import Home

UNDO = "how do I undo the last commit but keep the changes"
SAID = "git reset --soft HEAD~1"
QUESTION: Any = [{"role": "user", "content": UNDO}]
CITY = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
WEATHER: Any = {"name": "weather", "description": "?", "input_schema": CITY}
CALL: Any = Answer("I look.", calls=(("weather", {"city": "Rome"}),))
USE = {"type": "tool_use", "id": "toolu_9", "name": "weather", "input": {"city": "Rome"}}
ASKED: Any = [
    {"role": "user", "content": "Is it dry in Rome?"},
    {"role": "assistant", "content": [USE]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9", "content": "dry"}]},
]


class Desk:
    """A daemon, its clients, and a teacher who says what a test tells."""

    def __init__(self, serving: Serving, teacher: AnthropicServer) -> None:
        url, token = serving.house.url, token_of(serving.home.path)
        self.serving = serving
        self.teacher = teacher
        self.answer: Behaviour = Answer("hello")
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=url, api_key=token, max_retries=0)

    def asks(self, model: str, **fields: Any) -> Any:
        """Ask by Anthropic's client."""
        return self.anthropic.messages.create(**({"model": model, "max_tokens": 100, "messages": QUESTION} | fields))

    @property
    def heard(self) -> dict[str, Any]:
        """What the teacher was asked last."""
        return self.teacher.requests[-1].body

    def close(self) -> None:
        self.openai.close()
        self.anthropic.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desks: list[Desk] = []
    with pytest.MonkeyPatch.context() as patch, AnthropicServer(answer_with=lambda _: desks[0].answer) as teacher:
        patch.setenv("ANTHROPIC_API_KEY", "a-key")
        patch.setenv("ANTHROPIC_BASE_URL", teacher.url)
        with Serving(Home.used(tmp_path_factory.mktemp("home")), worker__enabled=False) as serving:
            desks.append(Desk(serving, teacher))
            yield desks[0]
            desks[0].close()


def test_the_local_model_answers(desk: Desk) -> None:
    message = desk.asks("shammah:local")
    assert message.content[0].text.startswith(SAID)
    assert (message.stop_reason, message.role, message.type) == ("end_turn", "assistant", "message")
    assert message.usage.input_tokens > 0
    assert message.id == f"msg_{message.shammah['id']}"


def test_a_stream_says_the_same_piece_by_piece(desk: Desk) -> None:
    whole = desk.asks("shammah:local")
    with desk.anthropic.messages.stream(model="shammah:local", max_tokens=100, messages=QUESTION) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == whole.content[0].text == final.content[0].text  # type: ignore[union-attr]
    assert len(pieces) > 3
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_it_is_said_which_stop_sequence_came(desk: Desk) -> None:
    message = desk.asks("shammah:local", stop_sequences=["nothing", " --soft"])
    assert (message.content[0].text, message.stop_reason) == ("git reset", "stop_sequence")
    assert message.stop_sequence == " --soft"


def test_a_call_is_forced(desk: Desk) -> None:
    message = desk.asks("shammah:local", tools=[WEATHER], tool_choice={"type": "any"})
    (block,) = message.content
    assert (message.stop_reason, block.type, block.name) == ("tool_use", "tool_use", "weather")
    assert block.input["city"] in ("Rome", "Oslo")


def test_tokens_are_counted_as_they_are_read(desk: Desk) -> None:
    counted = desk.anthropic.messages.count_tokens(model="shammah:local", messages=QUESTION)
    assert counted.input_tokens == desk.asks("shammah:local").usage.input_tokens


@pytest.mark.parametrize(
    ("model", "fields", "error"),
    [
        ("claude-sonnet-5-5", {}, anthropic.NotFoundError),
        ("shammah", {"messages": []}, anthropic.BadRequestError),
        ("shammah:local", {"max_tokens": 10, "system": "x " * 40_000}, anthropic.BadRequestError),
    ],
)
def test_errors_are_of_the_clients_own_kinds(
    desk: Desk, model: str, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        desk.asks(model, **fields)


def test_a_new_home_asks_the_teacher(desk: Desk) -> None:
    desk.answer = Answer("Use git reflog.")
    message = desk.asks("shammah", stop_sequences=["END"])
    assert (message.content[0].text, message.shammah["route"]) == ("Use git reflog.", "teacher")
    assert (desk.heard["max_tokens"], desk.heard["stop_sequences"]) == (100, ["END"])


def test_tools_are_the_teachers_own(desk: Desk) -> None:
    desk.answer = CALL
    message = desk.asks("shammah:teacher", tools=[WEATHER], messages=QUESTION)
    assert desk.heard["tools"] == [WEATHER]
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert (message.content[1].input, message.stop_reason) == ({"city": "Rome"}, "tool_use")


def test_what_came_of_a_tool_reaches_the_teacher(desk: Desk) -> None:
    desk.answer = Answer("It is dry.")
    message = desk.asks("shammah:teacher", tools=[WEATHER], messages=ASKED)
    assert message.content[0].text == "It is dry."
    asked, came = desk.heard["messages"][1:]
    assert (asked["content"][0]["name"], came["content"][0]["content"]) == ("weather", "dry")


def test_an_answer_may_be_sent_back_as_it_came(desk: Desk) -> None:
    desk.answer = CALL
    message = desk.asks("shammah:teacher", tools=[WEATHER])
    result = {"type": "tool_result", "tool_use_id": message.content[1].id, "content": "dry"}
    turns: Any = [*QUESTION, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    desk.answer = Answer("It is dry.")
    assert desk.asks("shammah:teacher", tools=[WEATHER], messages=turns).content[0].text == "It is dry."
    assert [block["type"] for block in desk.heard["messages"][1]["content"]] == ["text", "tool_use"]


def test_a_call_of_the_teacher_streams_to_openais_client(desk: Desk) -> None:
    desk.answer = CALL
    function: Any = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    stream = desk.openai.chat.completions.create(
        model="shammah:teacher", messages=QUESTION, tools=[function], stream=True
    )
    chunks: Any = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "I look."
    (call,) = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert json.loads(call.function.arguments) == {"city": "Rome"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_schema_is_the_teachers_own(desk: Desk) -> None:
    desk.answer = Answer('{"city": "Rome"}')
    form: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY}}
    desk.openai.chat.completions.create(model="shammah:teacher", messages=QUESTION, response_format=form)
    assert desk.heard["output_config"] == {"format": {"type": "json_schema", "schema": CITY}}


def test_secrets_stay_here_and_are_seen_again(desk: Desk) -> None:
    key = "sk-" + "abcd1234" * 4
    desk.answer = Answer("Your key is <SECRET_1>.", chunks=5)
    with desk.anthropic.messages.stream(
        model="shammah:teacher", max_tokens=100, messages=[{"role": "user", "content": f"Is {key} a key?"}]
    ) as stream:
        assert stream.get_final_text() == f"Your key is {key}."
    assert key not in json.dumps(desk.heard)


def test_a_teacher_who_fails_is_a_bad_gateway(desk: Desk) -> None:
    desk.answer = Status(400, "invalid_request_error", "no")
    with pytest.raises(anthropic.InternalServerError) as caught:
        desk.asks("shammah:teacher")
    assert caught.value.status_code == 502


def test_a_routed_question_is_answered_here_where_the_teacher_fails(desk: Desk) -> None:
    desk.answer = Status(400, "invalid_request_error", "no")
    message = desk.asks("shammah")
    assert message.content[0].text.startswith(SAID)
    assert (message.shammah["route"], message.shammah["reason"]) == ("local", "teacher_failed")


def test_a_stream_that_cannot_be_taken_back_ends_with_an_error(desk: Desk) -> None:
    desk.answer = CutClean("Use git")
    asked = desk.anthropic.messages.stream(model="shammah", max_tokens=100, messages=QUESTION)
    with asked as stream, pytest.raises(anthropic.APIStatusError, match="broke off"):
        stream.get_final_text()


def test_a_daemon_is_another_ones_teacher(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, url = Home.used(tmp_path_factory.mktemp("pupil")), desk.serving.house.url
    monkeypatch.setenv("ANTHROPIC_API_KEY", token_of(desk.serving.home.path))
    flags = {"teacher__base_url": url, "teacher__model": "shammah:local", "worker__enabled": False}
    with Serving(home, **flags) as pupil:
        body = {"model": "shammah", "messages": QUESTION}
        status, reply, headers = pupil.http("POST", "/v1/chat/completions", body)
    assert (status, headers["x-shammah-route"]) == (200, "teacher")
    assert reply["choices"][0]["message"]["content"].startswith(SAID)


def test_a_draft_that_could_be_replaced_comes_when_it_is_accepted(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home.used(tmp_path_factory.mktemp("learnt"))
    with home.journal() as journal:
        lineage = record_seedling(journal).sha256
        for _ in range(40):
            question, _ = judge(journal, Asked(lineage=lineage), is_good=True)
        ask_again(journal, question, 200)
    before = len(desk.teacher.requests)
    with Serving(home, worker__enabled=False, quality__max_bad_rate="off") as serving:
        body = {"model": "shammah", "messages": QUESTION, "stream": True}
        status, text, headers = serving.http("POST", "/v1/chat/completions", body)
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert (status, headers["x-shammah-route"], len(desk.teacher.requests)) == (200, "local", before)
    pieces = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert [piece for piece in pieces if piece] == [chunks[-1]["shammah"]["answer"]]
    assert chunks[-1]["shammah"]["reason"] == "local_confident"
