"""The tools over MCP, on stdin and stdout: the one file that knows the mcp package.

The SDK keeps stdout to itself while it serves: what anybody else prints there goes to stderr.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import mcp_types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from shammah import __version__
from shammah.errors import ShammahError
from shammah.settings import Settings
from shammah.teaching import doors
from shammah.teaching.classroom import Classroom

INSTRUCTIONS = (
    "Shammah is the small model on this person's laptop. Ask it with `query_local_model`; see where it is weak with"
    " `analyze_model`; hand in what it should learn with `generate_training_data`, in `pairs` that you write yourself."
    " They wait until the person accepts them (`shammah examples accept --source mcp`); then `train` learns them."
)


_log = logging.getLogger(__name__)

OpenRoom = Callable[[Settings], AbstractContextManager[Classroom]]
ReadSettings = Callable[[], Settings]


def serve(open_room: OpenRoom, read: ReadSettings) -> None:
    """Serve until stdin ends.

    Args:
        read: Reads the settings, before each call: they may say by then that something stays here.
        open_room: Entered, and left, in the thread that does all the work, as the journal belongs to one.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tools") as worker:
        desk = _Desk(open_room, read, worker)
        try:
            asyncio.run(_serve(desk))
        finally:
            worker.submit(desk.close).result()


class _Desk:
    """Answers one call after the other, in one thread; the protocol goes on meanwhile."""

    def __init__(self, open_room: OpenRoom, read: ReadSettings, worker: ThreadPoolExecutor) -> None:
        self._open_room = open_room
        self._read = read
        self._worker = worker
        self._held = ExitStack()
        self._room: Classroom | None = None

    async def call(self, name: str, arguments: dict[str, Any], author: str) -> mcp_types.CallToolResult:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._called, name, arguments, author)

    def close(self) -> None:
        """Give back the model; called in the worker's thread."""
        self._held.close()

    def _called(self, name: str, arguments: dict[str, Any], author: str) -> mcp_types.CallToolResult:
        try:
            room = self._room_now()
            room.author = author
            return _result(doors.call(room, name, arguments))
        except ShammahError as error:
            return _refusal(f"{error}. {error.hint}")
        except Exception as error:  # the next call may be another one; what this one quotes is not for a log
            _log.exception("the tool %s failed", name)
            return _refusal(f"the tool failed ({type(error).__name__})")

    def _room_now(self) -> Classroom:
        """The room, opened anew where the settings are others by now."""
        settings = self._read()
        if self._room is None or self._room.settings != settings:
            self._room = None
            self._held.close()
            self._room = self._held.enter_context(self._open_room(settings))
        return self._room


async def _serve(desk: _Desk) -> None:
    async def list_tools(
        _context: ServerRequestContext, _params: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListToolsResult:
        return mcp_types.ListToolsResult(tools=[_shown(tool) for tool in doors.TOOLS])

    async def call_tool(
        context: ServerRequestContext, params: mcp_types.CallToolRequestParams
    ) -> mcp_types.CallToolResult:
        return await desk.call(params.name, params.arguments or {}, _author(context))

    server = Server(
        "shammah",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _shown(tool: doors.Tool) -> mcp_types.Tool:
    return mcp_types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=mcp_types.ToolAnnotations(read_only_hint=tool.name in doors.READERS, destructive_hint=False),
    )


def _author(context: ServerRequestContext) -> str:
    """Which client calls, by its own word."""
    params = context.session.client_params
    return f"{params.client_info.name} {params.client_info.version}"[:100] if params else "an MCP client"


def _result(found: dict[str, Any]) -> mcp_types.CallToolResult:
    text = mcp_types.TextContent(type="text", text=json.dumps(found, ensure_ascii=False))
    return mcp_types.CallToolResult(content=[text], structured_content=found)


def _refusal(why: str) -> mcp_types.CallToolResult:
    return mcp_types.CallToolResult(content=[mcp_types.TextContent(type="text", text=why)], is_error=True)
