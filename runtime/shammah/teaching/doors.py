"""The five tools by name: what every door shows of them, and how it calls them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shammah.errors import UsageError
from shammah.teaching import results, schema
from shammah.teaching.analyze import analyze
from shammah.teaching.classroom import Classroom
from shammah.teaching.compare import compare
from shammah.teaching.generate import generate
from shammah.teaching.query import query
from shammah.teaching.requests import (
    AnalyzeModel,
    CompareResponses,
    GenerateTrainingData,
    QueryLocalModel,
    Train,
)
from shammah.teaching.train import train


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what it is asked, what it answers, and how it does it."""

    name: str
    request: type
    result: type
    run: Callable[[Classroom, Any], Any]

    @property
    def description(self) -> str:
        """What it does, in a sentence."""
        return (self.request.__doc__ or "").strip()

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON schema of what it is asked."""
        return schema.schema_of(self.request)

    @property
    def output_schema(self) -> dict[str, Any]:
        """The JSON schema of what it answers."""
        return schema.schema_of(self.result)


TOOLS = (
    Tool("query_local_model", QueryLocalModel, results.LocalAnswer, query),
    Tool("compare_responses", CompareResponses, results.Compared, compare),
    Tool("generate_training_data", GenerateTrainingData, results.Generated, generate),
    Tool("analyze_model", AnalyzeModel, results.Analysis, analyze),
    Tool("train", Train, results.Trained, train),
)
NAMES = tuple(tool.name for tool in TOOLS)
READERS = frozenset({"query_local_model", "compare_responses", "analyze_model"})
"""Tools that change nothing but what may have been spent."""


class NoSuchTool(UsageError):
    """There is no tool of that name."""


def call(room: Classroom, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Call a tool with what a stranger sent, as JSON; its result, as JSON.

    Raises:
        NoSuchTool: There is none of that name.
        BadArgument: An argument is missing, unknown or wrong.
        ShammahError: It cannot be done; the hint says what can.
    """
    return asked(name, arguments)(room)


def asked(name: str, arguments: Mapping[str, Any]) -> Callable[[Classroom], dict[str, Any]]:
    """What a stranger sent, read before any room is opened for it; what is left is to do it in one.

    Raises:
        NoSuchTool: There is none of that name.
        BadArgument: An argument is missing, unknown or wrong.
    """
    tool = next((tool for tool in TOOLS if tool.name == name), None)
    if tool is None:
        raise NoSuchTool(f"there is no tool {name!r}", hint=schema.nearest(name, NAMES))
    request: Any = schema.read(tool.request, arguments)

    run = tool.run

    def do(room: Classroom) -> dict[str, Any]:
        result = schema.as_object(run(room, request))
        assert isinstance(result, dict), "a result is a record"
        return result

    return do


def described() -> list[dict[str, Any]]:
    """All tools as Claude's API and the daemon's list have them."""
    return [{"name": tool.name, "description": tool.description, "input_schema": tool.input_schema} for tool in TOOLS]
