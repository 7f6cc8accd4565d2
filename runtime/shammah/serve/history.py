"""A client's messages as one conversation in Shammah's own form, put together message by message."""

from collections.abc import Mapping, Sequence

from shammah.serve.wanted import Refused
from shammah.tool_text import Call, Tool, came_of, said, with_tools
from shammah_convert.chat import Message


class History:
    """A conversation that grows; results find the calls that they belong to by the calls' ids."""

    def __init__(self) -> None:
        self._system: list[str] = []
        self._turns: list[Message] = []
        self._results: dict[str, str | None] = {}

    def system(self, text: str) -> None:
        """Instructions, wherever they stand: all of them go to the front."""
        if text:
            self._system.append(text)

    def user(self, text: str, param: str) -> None:
        """The user says something, after the results of what was called."""
        if not self._close(text, param):
            self._turns.append(Message("user", text))

    def assistant(self, text: str, calls: Mapping[str, Call], param: str) -> None:
        """The assistant says something, calls something, or both.

        Raises:
            Refused: Something that it called before has no result.
        """
        self._close("", param)
        self._turns.append(Message("assistant", said(text, list(calls.values()))))
        self._results = dict.fromkeys(calls)

    def result(self, id: str, text: str, param: str) -> None:
        """What came of a call.

        Raises:
            Refused: The message before has no such call, or its result is here already.
        """
        if id not in self._results:
            raise Refused(f"{id!r} is no call of the assistant's message before", param)
        if self._results[id] is not None:
            raise Refused(f"the call {id!r} has a result already", param)
        self._results[id] = text

    def messages(self, system: str, tools: Sequence[Tool], more: str, param: str) -> tuple[Message, ...]:
        """The whole conversation.

        Args:
            system: Stands for instructions where the client gave none.
            tools: Are defined in the system message.
            more: Is said in it, too.
            param: The field that the messages came in.

        Raises:
            Refused: It does not end with something to answer.
        """
        self._close("", param)
        if not self._turns or self._turns[-1].role != "user":
            raise Refused("the last message is to be the user's, or what came of a tool", param)
        if not self._turns[-1].content.strip():
            raise Refused("the last message is empty", param)
        words = "\n\n".join(part for part in ("\n\n".join(self._system) or system, more) if part)
        instructions = with_tools(words, tools)
        return (*([Message("system", instructions)] if instructions else ()), *self._turns)

    def _close(self, text: str, param: str) -> bool:
        """Say what came of the calls that are open, with a text beside it; False where none are."""
        if not self._results:
            return False
        missing = next((id for id, result in self._results.items() if result is None), None)
        if missing is not None:
            raise Refused(f"the call {missing!r} has no result", param)
        self._turns.append(Message("user", came_of([result or "" for result in self._results.values()], text)))
        self._results = {}
        return True
