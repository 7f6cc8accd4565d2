"""What stays on this machine, whatever asks the daemon: commands, and clients of both APIs; a teacher listens."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from shammah.serve import client
from shammah.serve.place import socket_of
from shammah.serve.token import token_of
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.serving import Serving
from tests.whole.command import Home
from tests.whole.test_api_of_anthropic import Desk

QUIET = {"SHAMMAH_WORKER_ENABLED": "false", "ANTHROPIC_API_KEY": "a-key"}
TOKEN = "ghp_" + "a1B2c3" * 6
PEM_LINES = "\n".join("MIIEow" + "Ab1/" * 14 for _ in range(3))
PEM = f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{PEM_LINES}\n-----END RSA {'PRIVATE'} KEY-----"
ANY: Any = {"type": "object", "properties": {"text": {"type": "string"}}}
WRITE: Any = {"name": "write", "description": "Writes a file.", "input_schema": ANY}
FUNCTION: Any = {"type": "function", "function": {"name": "write", "description": "?", "parameters": ANY}}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desks: list[Desk] = []
    with pytest.MonkeyPatch.context() as patch, AnthropicServer(answer_with=lambda _: desks[0].answer) as teacher:
        patch.setenv("ANTHROPIC_API_KEY", "a-key")
        patch.setenv("ANTHROPIC_BASE_URL", teacher.url)
        home = Home.used(tmp_path_factory.mktemp("home"), QUIET | {"ANTHROPIC_BASE_URL": teacher.url})
        with Serving(home) as serving:
            desks.append(Desk(serving, teacher))
            yield desks[0]
            desks[0].close()


@pytest.fixture(autouse=True)
def plain(desk: Desk) -> None:
    settle(desk, "")
    desk.answer = Answer("hello")


def settle(desk: Desk, text: str) -> None:
    """Change the settings while the daemon runs."""
    (desk.serving.home.path / "config.toml").write_text(text)


def heard(desk: Desk) -> int:
    return len(desk.teacher.requests)


def talk(text: str) -> Any:
    return [{"role": "user", "content": text}]


def by_command(desk: Desk, text: str) -> str:
    return str(desk.serving.home.ask(text)["route"])


def by_openai(desk: Desk, text: str) -> str:
    reply: Any = desk.openai.chat.completions.create(model="shammah", messages=talk(text))
    return str(reply.shammah["route"])


def by_prompt(desk: Desk, text: str) -> str:
    reply: Any = desk.openai.completions.create(model="shammah", prompt=text)
    return str(reply.shammah["route"])


def by_anthropic(desk: Desk, text: str) -> str:
    return str(desk.asks("shammah", messages=talk(text)).shammah["route"])


@pytest.mark.parametrize("ask", [by_command, by_openai, by_prompt, by_anthropic])
def test_a_pattern_that_is_set_while_the_daemon_runs_is_heeded_by_the_next_question(
    desk: Desk, ask: Callable[[Desk, str], str]
) -> None:
    assert ask(desk, "what does acme sell") == "teacher"
    before = heard(desk)
    settle(desk, '[privacy]\nnever_forward = ["acme"]\n')
    assert ask(desk, "what does Acme sell") == "local"
    assert heard(desk) == before
    settle(desk, "offline = true\n")
    assert ask(desk, "what do they sell") == "local"
    settle(desk, "[teacher]\nmax_usd_per_day = 0.0\n")
    assert ask(desk, "what do they sell") == "local"
    assert heard(desk) == before


USE: Any = {"type": "tool_use", "id": "a", "name": "write", "input": {}}
CAME: Any = {"type": "tool_result", "tool_use_id": "a", "content": "done"}


def used(use: Any, came: Any) -> dict[str, Any]:
    """A conversation in which a tool was called."""
    turns = [{"role": "assistant", "content": [USE | use]}, {"role": "user", "content": [CAME | came]}]
    return {"tools": [WRITE], "messages": [*talk("write it"), *turns]}


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "You work for acme."},
        {"messages": [*talk("acme?"), {"role": "assistant", "content": "yes"}, *talk("and now?")]},
        {"tools": [WRITE | {"description": "Writes to Acme."}]},
        {"tools": [WRITE | {"name": "acme_write"}], "tool_choice": {"type": "any"}},
        {"stop_sequences": ["ACME"]},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "string", "enum": ["acme"]}}}},
        used({"input": {"text": "about the\nacme corp"}}, {}),
        used({"input": {"acme": 1}}, {}),
        used({}, {"content": "for \\u0061cme"}),
        used({}, {"content": [{"type": "text", "text": "acme"}], "is_error": True}),
    ],
)
def test_wherever_a_pattern_is_found_the_teacher_cannot_be_named(desk: Desk, fields: dict[str, Any]) -> None:
    settle(desk, '[privacy]\nnever_forward = ["acme"]\n')
    before = heard(desk)
    with pytest.raises(anthropic.BadRequestError, match="never_forward"):
        desk.asks("shammah:teacher", **fields)
    desk.anthropic.messages.count_tokens(model="shammah:teacher", messages=talk("how long is acme"))
    assert heard(desk) == before


def test_a_conversation_that_never_leaves_stays_here_as_it_goes_on_in_chat(desk: Desk) -> None:
    settle(desk, '[privacy]\nnever_forward = ["acme"]\n')
    before = heard(desk)
    lines = "how do I list the files of password=Acme2024!x\nand hidden ones\n/teacher\n"
    done = desk.serving.home.run("chat", stdin=lines)
    assert done.stdout.count("\n") > 1, done.stderr
    assert "privacy.never_forward" in done.stderr
    assert heard(desk) == before


def test_settings_that_cannot_be_read_let_nothing_out(desk: Desk) -> None:
    settle(desk, '[privacy]\nnever_forward = ["(acme"]\n')
    before = heard(desk)
    with pytest.raises(openai.InternalServerError, match="no regular expression"):
        by_openai(desk, "what does acme sell")
    assert heard(desk) == before


def test_what_is_sent_beside_a_conversation_holds_no_secret(desk: Desk) -> None:
    schema = {"type": "object", "properties": {"token": {"type": "string", "const": TOKEN}}}
    desk.answer = Answer('{"token": "<SECRET_1>"}')
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = desk.openai.chat.completions.create(
        model="shammah:teacher", messages=talk("which one"), response_format=form, stop=[f"{TOKEN}!"]
    )
    assert TOKEN not in json.dumps(desk.heard)
    assert desk.heard["output_config"]["format"]["schema"]["properties"]["token"]["const"] == "<SECRET_1>"
    assert json.loads(reply.choices[0].message.content or "") == {"token": TOKEN}


def test_a_call_whose_argument_is_a_secret_of_many_lines_reaches_the_client_whole(desk: Desk) -> None:
    desk.answer = Answer("", calls=(("write", {"text": "<SECRET_1>"}),))
    asked = talk(f"write this: {PEM}")
    stream = desk.openai.chat.completions.create(model="shammah:teacher", messages=asked, tools=[FUNCTION], stream=True)
    call: Any
    (call,) = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or ()]
    assert json.loads(call.function.arguments) == {"text": PEM}
    (block,) = desk.asks("shammah:teacher", messages=asked, tools=[WRITE]).content
    assert block.input == {"text": PEM}
    said: Any = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "a", "name": "write", "input": block.input}],
    }
    came: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "done"}]}
    desk.answer = Answer("written")
    desk.asks("shammah:teacher", messages=[*asked, said, came], tools=[WRITE])
    assert desk.heard["messages"][1]["content"][0]["input"] == {"text": "<SECRET_1>"}
    assert desk.heard["messages"][2]["content"][0]["type"] == "tool_result"


def test_neither_files_nor_logs_of_a_daemon_and_its_worker_hold_a_secret(desk: Desk, tmp_path: Path) -> None:
    desk.answer = Answer("Keep <SECRET_1> here.")
    keys = {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": desk.teacher.url, "SHAMMAH_WORKER_ON_BATTERY": "true"}
    home = Home.used(tmp_path, keys | {"SHAMMAH_SERVE_PORT": "0"})
    assert home.run("serve", "--detach").returncode == 0
    try:
        home.ask(f"is {TOKEN} valid")
        url = client.request(socket_of(home.path), "/private/status")["url"]
        headers = {"x-api-key": token_of(home.path)}
        for body in bodies():
            httpx.post(f"{url}/v1/messages?key={TOKEN}", json=body, headers=headers, timeout=30)
        httpx.get(f"{url}/v1/models/{TOKEN}?key={TOKEN}", headers=headers)
        rated = home.run("feedback", "critical", f"it is {TOKEN}")
        assert rated.returncode == 0, rated.stderr
        home.wait_for_worker()
    finally:
        home.run("serve", "stop")
    assert "better answer" in (home.path / "worker.log").read_text()
    assert (home.path / "serve.log").exists()
    assert TOKEN not in str([request.body for request in desk.teacher.requests])
    assert [file for file in home.path.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()] == []


def bodies() -> Iterator[Any]:
    """Requests with a secret wherever one can be, good and bad ones."""
    use: Any = {"type": "tool_use", "id": "a", "name": "write", "input": {"text": f"with {TOKEN}", TOKEN: 1}}
    came: Any = {"type": "tool_result", "tool_use_id": "a", "content": f"wrote {TOKEN}"}
    whole = {
        "model": "shammah",
        "max_tokens": 50,
        "system": f"Use {TOKEN}.",
        "tools": [WRITE | {"description": f"Takes {TOKEN}."}],
        "messages": [*talk(TOKEN), {"role": "assistant", "content": [use]}, {"role": "user", "content": [came]}],
        "metadata": {"user_id": TOKEN},
    }
    yield whole
    yield whole | {"model": TOKEN}
    yield whole | {TOKEN: TOKEN}
    yield whole | {"messages": [{"role": "user", "content": [came | {"tool_use_id": TOKEN}]}]}
    yield whole | {"model": f"shammah:adapter={TOKEN}"}
    yield TOKEN


def test_the_worst_case_is_told_before_the_call_as_without_a_daemon(desk: Desk) -> None:
    alone = Home(desk.serving.home.path, desk.serving.home.variables | {"SHAMMAH_SERVE_USE": "false"})
    lines = [
        next(line for line in home.run("ask", "--why", "how long is it").stderr.splitlines() if "at most" in line)
        for home in (desk.serving.home, alone)
    ]
    assert all(line.startswith("cost: at most $0.0") for line in lines)
    assert lines[0].partition(";")[0] == lines[1].partition(";")[0]


def test_many_at_once_stay_within_the_budget_together(desk: Desk) -> None:
    with desk.serving.home.journal() as journal:
        spent = journal.spending.usd_today()
    # A question's worst case is its 1,000 tokens of answer, $0.01; what it costs is settled afterwards.
    settle(desk, f"[teacher]\nmax_usd_per_day = {spent + 0.025}\n")
    before = heard(desk)
    desk.answer = Answer("hello", output_tokens=1000)

    def ask(number: int) -> str:
        reply: Any = desk.openai.chat.completions.create(
            model="shammah", messages=talk(f"what is {number}"), max_tokens=1000
        )
        return str(reply.shammah["route"])

    with ThreadPoolExecutor(8) as pool:
        routes = list(pool.map(ask, range(8)))
    assert 1 <= routes.count("teacher") == heard(desk) - before <= 2
    with desk.serving.home.journal() as journal:
        assert journal.spending.usd_today() <= spent + 0.025
