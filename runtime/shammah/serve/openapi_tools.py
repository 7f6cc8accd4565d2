"""The teaching tools, as `/openapi.json` describes them: by the records that their arguments are read into."""

from collections.abc import Iterator
from typing import Any

from shammah.serve.openapi_own import JSON, faults, gives, giving
from shammah.serve.shaping import FREE, TEXT, Drawn, list_of, ref, reply
from shammah.serve.tools import PATH
from shammah.teaching import doors

_FAULTS = (400, 401, 403, 409, 413, 415, 429, 500, 502, 503)
_SHOWN = reply({"name": TEXT, "description": TEXT, "input_schema": FREE})
SHAPES: Drawn = {"Tools": reply({"tools": list_of(_SHOWN)})}


def shapes() -> Drawn:
    """What goes in and comes out of each tool, by the names of the records."""
    return SHAPES | {name: shape for tool in doors.TOOLS for name, shape in _both(tool)}


def paths() -> Drawn:
    """The list, every tool, and what whoever asks for another one is told."""
    unknown = _called("A tool that there is not", FREE, {"404": gives("There is no such tool", ref("OwnError"))})
    named = {"name": "name", "in": "path", "required": True, "schema": TEXT}
    return {
        PATH: {"get": giving("The teaching tools, with the schemas of their arguments", ref("Tools"))},
        **{f"{PATH}/{tool.name}": {"post": _tool(tool)} for tool in doors.TOOLS},
        PATH + "/{name}": {"post": unknown | {"parameters": [named]}},
    }


def _both(tool: doors.Tool) -> Iterator[tuple[str, dict[str, Any]]]:
    yield tool.request.__name__, tool.input_schema
    yield tool.result.__name__, tool.output_schema


def _tool(tool: doors.Tool) -> Drawn:
    given = {"200": gives("Done", ref(tool.result.__name__))}
    return _called(tool.description, ref(tool.request.__name__), given)


def _called(summary: str, shape: Drawn, responses: Drawn) -> Drawn:
    body = {"required": True, "content": {JSON: {"schema": shape}}}
    return {"summary": summary, "requestBody": body, "responses": responses | faults(*_FAULTS)}
