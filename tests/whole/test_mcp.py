"""`shammah mcp` as Claude Code runs it: the real client of the protocol, over the pipes of a real process."""

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jsonschema
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from shammah.settings import Settings
from shammah.teaching import doors, stdio
from shammah.teaching.classroom import Classroom
from tests.classroom import UNDO, UNDONE, prepare
from tests.fake_trainer import FakeTrainer
from tests.whole.command import Home

COMMAND = ["-m", "shammah", "mcp"]


def test_a_client_lists_asks_teaches_and_trains(tmp_path: Path) -> None:
    """One process for all of it: starting takes most of the time."""
    prepare(tmp_path)
    home = Home(tmp_path, {"SHAMMAH_TRAINER_PYTHON": FakeTrainer().write(tmp_path), "SHAMMAH_WORKER_ENABLED": "0"})
    asyncio.run(_conversation(home))
    with home.journal() as journal:
        assert journal.quarantine.waiting("mcp") == 0, "accepted meanwhile"
        [example] = journal.examples.live()
        kept = journal.quarantine.provenance(example.id)
        assert kept is not None
        assert (kept.origin.door, kept.origin.author) == ("mcp", "mcp 0.1.0")


def test_a_tool_that_fails_says_so_without_its_words_and_ends_no_other() -> None:
    def open_room(_: Settings) -> AbstractContextManager[Classroom]:
        raise ValueError("hunter2x")

    with ThreadPoolExecutor(1) as worker:
        desk = stdio._Desk(open_room, lambda: Settings(home=Path()), worker)
        results = [asyncio.run(desk.call("train", {}, "me")) for _ in range(2)]
    assert all(result.is_error for result in results)
    assert "the tool failed (ValueError)" in str(results[1].content)
    assert "hunter2x" not in str(results)


async def _conversation(home: Home) -> None:
    server = StdioServerParameters(command=sys.executable, args=COMMAND, env=home.environment())
    async with stdio_client(server) as (incoming, outgoing), ClientSession(incoming, outgoing) as session:
        hello = await session.initialize()
        assert hello.server_info.name == "shammah"
        listed = (await session.list_tools()).tools
        assert [tool.name for tool in listed] == list(doors.NAMES)
        assert [tool.input_schema for tool in listed] == [tool.input_schema for tool in doors.TOOLS]

        found = await _called(session, "query_local_model", question=UNDO)
        assert found["answer"] == UNDONE
        refused = await session.call_tool("query_local_model", {"qestion": UNDO})
        assert refused.is_error
        assert "Did you mean question?" in refused.content[0].text  # type: ignore[union-attr]
        unknown = await session.call_tool("drop_tables", {})
        assert unknown.is_error

        pair = {"question": "how do i start our staging server", "answer": "make staging-up"}
        made = await _called(session, "generate_training_data", category="code", pairs=[pair])
        assert (made["kept"], made["waiting"]) == (1, 1)
        early = await session.call_tool("train", {})
        assert early.is_error
        assert "accept" in early.content[0].text  # type: ignore[union-attr]
        with home.journal() as journal:
            assert journal.quarantine.accept("mcp") == 1
        trained = await _called(session, "train")
        assert (trained["state"], trained["hot_reload"]) == ("promoted", True)
        analysed = await _called(session, "analyze_model")
        assert analysed["tests"] == 0

        (home.path / "config.toml").write_text('[privacy]\nnever_forward = ["."]\n')
        kept = await session.call_tool("query_local_model", {"question": UNDO})
        assert kept.is_error
        assert "never_forward" in kept.content[0].text  # type: ignore[union-attr]


async def _called(session: ClientSession, name: str, **arguments: Any) -> dict[str, Any]:
    """A result that fits its schema, the same as text and as structure."""
    result = await session.call_tool(name, arguments)
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    assert json.loads(result.content[0].text) == found  # type: ignore[union-attr]
    schema = next(tool.output_schema for tool in doors.TOOLS if tool.name == name)
    jsonschema.validate(found, schema)
    return found


def test_stdout_holds_the_protocol_alone_and_garbage_ends_nothing(tmp_path: Path) -> None:
    prepare(tmp_path)
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
    }
    lines = ["no json at all", json.dumps(hello), '{"jsonrpc": "2.0", "id": 2, "method": "no/such"}', ""]
    done = subprocess.run(
        [sys.executable, *COMMAND],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=280,
        env=Home(tmp_path).environment() | {"PATH": os.environ["PATH"]},
        check=False,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(message["jsonrpc"] == "2.0" for message in said)
    assert next(m for m in said if m.get("id") == 1)["result"]["serverInfo"]["name"] == "shammah"
    assert done.returncode == 0, done.stderr
