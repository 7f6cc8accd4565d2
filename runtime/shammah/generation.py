"""What a generator is, whoever it is: chunks of text that end in one record of how they ended."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from shammah_convert.chat import Message

THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"

Stop = Callable[[], bool]
"""Asked between and within steps of work; True means that nobody waits for the rest."""


def never() -> bool:
    """Let the work run to its end."""
    return False


class Finish(StrEnum):
    """Why a completion ended. Only `STOP` is a whole answer; `HOPELESS` is our own verdict, `TOOL` waits for a call."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"
    INTERRUPTED = "interrupted"
    CUT = "cut"
    HOPELESS = "hopeless"
    TOOL = "tool"


ActiveSet = tuple[tuple[str, float], ...]
"""What is applied to a base: names of adapters, each with its scale, in order."""


@dataclass(frozen=True, slots=True)
class End:
    """How a completion ended, and what it took.

    Attributes:
        cost_usd: None where no price is known, and for the local model.
        adapters: What was applied to the local model.
        stop_text: The one of the wanted stop texts that it ended before; empty for none.
    """

    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None = None
    adapters: ActiveSet = ()
    stop_text: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a generator wants done before it goes on.

    Attributes:
        id: By which its result is told apart.
        arguments: A JSON object, as it came.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """Calls of tools, with what was said before them and what came of each.

    Attributes:
        results: A text for each call, in order.
        failed: Ids of the calls that were refused.
    """

    said: str
    calls: tuple[ToolCall, ...]
    results: tuple[str, ...]
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What a generator may call, each with a name, a description and the JSON schema of its input; and what it did."""

    tools: tuple[Mapping[str, object], ...]
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a completion: text, the log-probability of its token where one is known, a call, or the end."""

    text: str = ""
    logprob: float | None = None
    end: End | None = None
    call: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole completion; `logprobs` are natural, one a token, empty for the teacher."""

    text: str
    end: End
    logprobs: tuple[float, ...] = ()
    calls: tuple[ToolCall, ...] = ()


ANY_TOOL = "*"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        max_tokens: At most so many completion tokens.
        temperature: 0 is greedy.
        seed: Makes a draw above temperature 0 repeatable; None takes a fresh one.
        top_p: A draw is from the likeliest tokens that together have this probability.
        schema: The answer is JSON of this JSON schema.
        grammar: The answer is of this GBNF grammar, whose first rule is `root`; the local model alone obeys it, and it
            goes before a schema.
        stop: The answer ends before the first of these texts.
        tool: The tool that is to be called, or `ANY_TOOL` for one of them; empty leaves it open. The teacher obeys
            it: for the local model there is a grammar.
        toolbox: What may be called meanwhile; the teacher alone calls.
    """

    max_tokens: int = 1024
    temperature: float = 0.0
    seed: int | None = None
    schema: Mapping[str, object] | None = None
    grammar: str = ""
    stop: tuple[str, ...] = ()
    tool: str = ""
    top_p: float = 1.0
    toolbox: Toolbox | None = None


def beside(wanted: Sampling) -> Iterator[str]:
    """The texts that go to the teacher beside a conversation; what it wrote itself is none of ours."""
    yield from wanted.stop
    if wanted.schema is not None:
        yield json.dumps(wanted.schema)
    if wanted.toolbox is not None:
        yield from (result for exchange in wanted.toolbox.exchanges for result in exchange.results)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model file says of itself.

    Attributes:
        context_tokens: The context it was trained for.
        size_bytes: Of its tensors.
    """

    architecture: str
    name: str
    context_tokens: int
    parameters: int
    size_bytes: int
    layers: int


class Generator(Protocol):
    """Anything that completes a chat: the local model, the teacher, a test's script."""

    def stream(self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never) -> Iterator[Chunk]:
        """Complete a conversation; the last chunk, and no other, has an end."""
        ...


def collect(chunks: Iterable[Chunk], show: Callable[[str], None] = lambda _: None) -> Completion:
    """Read a stream to its end, showing each piece of text as it comes."""
    texts: list[str] = []
    logprobs: list[float] = []
    calls: list[ToolCall] = []
    end = End(Finish.CUT, 0, 0)
    for chunk in chunks:
        if chunk.text:
            texts.append(chunk.text)
            show(chunk.text)
        if chunk.logprob is not None:
            logprobs.append(chunk.logprob)
        if chunk.call is not None:
            calls.append(chunk.call)
        end = chunk.end or end
    return Completion("".join(texts).strip(), end, tuple(logprobs), tuple(calls))


def without_thinking(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Drop the `<think>...</think>` that an answer begins with, and the blanks after it, wherever chunk borders fall.

    The same marks later in an answer are its text.
    """
    held, is_thinking = "", False
    rest = iter(chunks)
    for chunk in rest:
        held, is_thinking = _skip_thinking(held + chunk.text, is_thinking)
        if is_thinking or (chunk.end is None and THINK_OPEN.startswith(held)):
            yield replace(chunk, text="")
        else:
            yield replace(chunk, text=held)
            break
    yield from rest


def _skip_thinking(text: str, is_thinking: bool) -> tuple[str, bool]:
    """What is left of a beginning without its thinking, and whether it ends within it."""
    while True:
        if is_thinking:
            _, found, after = text.partition(THINK_CLOSE)
            if not found:  # its last letters may begin the closing mark
                return text[-len(THINK_CLOSE) :], True
            text, is_thinking = after, False
        text = text.lstrip()
        if not text.startswith(THINK_OPEN):
            return text, False
        text, is_thinking = text.removeprefix(THINK_OPEN), True
