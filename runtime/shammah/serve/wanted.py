"""What a client of an API wants, whichever API it speaks."""

from dataclasses import dataclass
from typing import Any

from shammah.errors import UsageError
from shammah.generation import Sampling
from shammah.policy import Side
from shammah.tool_text import Tool
from shammah_convert.chat import Message

MODEL = "shammah"
_ADAPTER = "adapter="

Object = dict[str, Any]


class Refused(UsageError):
    """A request cannot be meant so.

    Attributes:
        param: The field that it fails at, as a path; empty for the whole.
        code: What the fault is called.
        status: Of the answer.
    """

    hint = ""

    def __init__(self, message: str, param: str = "", code: str = "invalid_value", status: int = 400) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Way:
    """Who is to answer, by the model's name.

    Attributes:
        forced: None leaves it to the router.
        adapter: The one that is applied, as NAME or NAME:SCALE; empty takes what is active.
    """

    forced: Side | None = None
    adapter: str = ""


def way_of(model: str) -> Way:
    """The way that a model's name chooses.

    Raises:
        Refused: There is no such model.
    """
    name, colon, rest = model.partition(":")
    if name == MODEL:
        if not colon:
            return Way()
        if rest in (Side.LOCAL, Side.TEACHER):
            return Way(Side(rest))
        if rest.startswith(_ADAPTER) and len(rest) > len(_ADAPTER):
            return Way(Side.LOCAL, rest.removeprefix(_ADAPTER))
    raise Refused(
        f"there is no model {model!r}; this server has {MODEL}, {MODEL}:local, {MODEL}:teacher"
        f" and {MODEL}:{_ADAPTER}NAME, which GET /v1/models lists",
        "model",
        "model_not_found",
        404,
    )


def adapter_model(name: str) -> str:
    """The model's name that chooses an adapter."""
    return f"{MODEL}:{_ADAPTER}{name}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A conversation that is to be completed.

    Attributes:
        model: Its name, as the client wrote it.
        messages: The whole conversation, the system message first where there is one, the question last.
        tools: That may be called; they stand in the system message, too.
        max_tokens: That the client asked for, of either side; None leaves it to the settings.
        user: Tells the conversations of one client from those of another.
        includes_usage: A stream ends with what was used.
        calls_once: One call an answer at most.
    """

    model: str
    way: Way
    messages: tuple[Message, ...]
    sampling: Sampling
    tools: tuple[Tool, ...] = ()
    max_tokens: int | None = None
    user: str = ""
    streams: bool = False
    includes_usage: bool = False
    calls_once: bool = False

    @property
    def tool_names(self) -> frozenset[str]:
        """By which calls are recognised."""
        return frozenset(tool.name for tool in self.tools)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the settings say where a client says nothing."""

    system: str = ""
    max_tokens: int = 1024
    temperature: float = 0.0
