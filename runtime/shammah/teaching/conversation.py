"""Claude with the five tools: it looks at the local model, and hands in what that should learn."""

import json
from collections.abc import Callable
from typing import Any

from shammah.errors import ShammahError
from shammah.generation import Completion, Exchange, Finish, Toolbox, ToolCall
from shammah.privacy import Redactor
from shammah.teaching import doors
from shammah.teaching.classroom import Classroom
from shammah.teaching.schema import BadArgument
from shammah_convert.chat import Message

MOST_TURNS = 8
"""Of one conversation; the budget mostly ends it sooner."""
LONGEST_RESULT = 20_000

SYSTEM = (
    "You teach a small language model that answers on somebody's laptop. Your tools ask it questions, compare its"
    " answers with yours, and hand in what it should learn. First look where it is weak, with a question or two; then"
    " hand in pairs with `generate_training_data`, written by yourself in `pairs`: right, whole, short, each question"
    " about something else. What you hand in is checked, and its user has the last word on it. Be brief, and end when"
    " the pairs are handed in."
)

Hear = Callable[[str, dict[str, Any]], None]
"""Hears each call: the tool's name, with its result, or with `error`."""


def converse(room: Classroom, task: str, hear: Hear = lambda _name, _result: None) -> str:
    """Give Claude a task and the tools, until it is done; its last words.

    Raises:
        KeyMissing: Claude cannot be asked.
        BudgetReached: What is left of the budget does not cover another call.
        TeacherError: No whole answer came.
    """
    messages = [Message("system", SYSTEM), Message("user", task)]
    tools, exchanges, said = tuple(doors.described()), tuple[Exchange, ...](), ""
    for _ in range(MOST_TURNS):
        completion = room.claude.ask(messages, toolbox=Toolbox(tools, exchanges))
        said = completion.text or said
        if completion.end.finish is not Finish.TOOL or not completion.calls:
            break
        exchanges = (*exchanges, _done(room, completion, hear))
    return said


def _done(room: Classroom, completion: Completion, hear: Hear) -> Exchange:
    """Do what was called for; what cannot be done is told with its hint, for another try."""
    results = [_called(room, call, hear) for call in completion.calls]
    failed = frozenset(call.id for call, (_, is_done) in zip(completion.calls, results, strict=True) if not is_done)
    return Exchange(completion.text, completion.calls, tuple(text for text, _ in results), failed)


def _called(room: Classroom, call: ToolCall, hear: Hear) -> tuple[str, bool]:
    try:
        result = doors.call(room, call.name, _arguments(call))
    except ShammahError as error:
        hear(call.name, {"error": str(error)})
        return f"{error}. {error.hint}", False
    hear(call.name, result)
    return Redactor().redact(json.dumps(result, ensure_ascii=False))[:LONGEST_RESULT], True


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        found = json.loads(call.arguments)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadArgument("the arguments are no JSON object")
    return found
