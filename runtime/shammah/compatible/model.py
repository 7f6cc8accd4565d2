"""A model that a server runs in the local one's place: as far as whoever asks it sees, it is the local model."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from shammah import window
from shammah.calls import Call, Failed, Line
from shammah.compatible import bodies, counting, loras, wire
from shammah.compatible.failing import failure, is_missing, mentions_logprobs
from shammah.compatible.gate import Gate, Sent
from shammah.compatible.looking import Server
from shammah.compatible.watch import Watch
from shammah.compatible.wire import Endpoint
from shammah.generation import Chunk, End, Facts, Finish, Sampling, Stop, never, without_thinking
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile

SPARE_PIECES = 16
"""A piece is a token or more; a server may add some of its own."""
SILENT_SECONDS = 600.0
"""A server that says nothing for so long has hung: a long prompt takes a slow one minutes."""


class ServerModel:
    """A model on a server that speaks OpenAI's API.

    Attributes:
        threads: None of this machine's.
        gpu_layers: The same.
    """

    threads = 0
    gpu_layers = 0

    def __init__(self, server: Server, gate: Gate, limit_tokens: int, shelf: loras.Shelf, watch: Watch) -> None:
        """Take a server that was looked at.

        Args:
            server: Runs the model.
            gate: Says what may go there.
            limit_tokens: The longest conversation, where the server names none.
            shelf: Where adapters are kept in the form that the server reads.
            watch: Notices where the server runs another model by now.
        """
        self._server = server
        self._gate = gate
        self._shelf = shelf
        self._watch = watch
        self._tells_logprobs = True
        self._counted: tuple[tuple[Message, ...], int | None] | None = None
        self._fields: loras.Fields = loras.fields(server, (), shelf)
        self.context_tokens = server.context_tokens or limit_tokens
        self.applied: tuple[AdapterFile, ...] = ()

    @property
    def facts(self) -> Facts:
        """What the server says of it; its size and layers nobody here knows."""
        return Facts(self._server.kind, self._server.model, self.context_tokens, 0, 0, 0)

    @property
    def endpoint(self) -> Endpoint:
        """Where the server is."""
        return self._server.endpoint

    def close(self) -> None:
        """Leave it to the others."""

    def check(self) -> None:
        """See, now and then, that the server still runs this model.

        Raises:
            NotServed: It runs another one.
        """
        self._watch.check()

    def apply(self, adapters: Sequence[AdapterFile]) -> None:
        """Ask for these adapters from the next answer on.

        Raises:
            AdapterError: The server cannot apply them; what was applied stays applied.
        """
        self._fields = loras.fields(self._server, adapters, self._shelf)
        self.applied = tuple(adapters)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How long a prompt is: counted by the server where it has a way, else the most that it may well be.

        Raises:
            StaysHere: The server may not see it.
            ModelServerError: It does not answer.
        """
        sent = self._gate.pass_on(messages, Sampling())
        exact = self._exact(sent.messages)
        return counting.likely(sent.messages) if exact is None else exact

    def _exact(self, messages: Sequence[Message]) -> int | None:
        """The length of a prompt as the server counts it; asked for an answer, it is not counted again."""
        if self._counted is None or self._counted[0] != tuple(messages):
            self._counted = tuple(messages), counting.exact(self._server, messages)
        return self._counted[1]

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer."""
        most = self.context_tokens
        return window.fits(prompt_tokens, max_tokens, min(most, limit_tokens) if limit_tokens else most)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Stop = never,
        limit_tokens: int | None = None,
    ) -> Iterator[Chunk]:
        """Complete a conversation token by token; thinking is left out. The server itself refuses one that is too long.

        Raises:
            StaysHere: The server may not see it.
            ContextTooLong: It is longer than the server's context.
            BadGrammar: The server takes no grammar.
            ModelServerError: No whole answer came; `NotServed` where it would be another model's.
        """
        sent = self._gate.pass_on(messages, sampling)
        self.check()
        exact = self._exact(sent.messages)
        if exact is not None:  # vLLM refuses to promise more than there is room for
            most = min(self.context_tokens, limit_tokens or self.context_tokens)
            room = window.answer_tokens(exact, sampling.max_tokens, most)
            sent = replace(sent, sampling=replace(sent.sampling, max_tokens=room))
        return without_thinking(sent.restored(self._answer(sent, stop)))

    def _answer(self, sent: Sent, stop: Stop, is_again: bool = False) -> Iterator[Chunk]:
        wants_logprobs = self._tells_logprobs
        try:
            yield from self._read(self._body(sent, wants_logprobs), sent, stop)
        except Failed as failed:
            self._watch.doubt()
            if wants_logprobs and mentions_logprobs(failed.cause):
                self._tells_logprobs = False  # the validator does without
            elif not is_again and self.applied and is_missing(failed.cause):
                self._look_again()
            else:
                raise failure(failed.cause, self._server.endpoint.url) from failed.cause
            yield from self._answer(sent, stop, is_again=True)

    def _body(self, sent: Sent, wants_logprobs: bool) -> dict[str, Any]:
        kind = self._server.kind
        body = bodies.plain(self._server.model, sent.messages, sent.sampling) | bodies.unthinking(kind)
        body |= bodies.grammar(kind, sent.sampling.grammar) | self._fields
        return body | ({"logprobs": True} if wants_logprobs else {})

    def _look_again(self) -> None:
        """Give a server its adapters again: it was started anew, and knows none."""
        self._server = self._watch.look()
        self.apply(self.applied)

    def _read(self, body: dict[str, Any], sent: Sent, stop: Stop) -> Iterator[Chunk]:
        call = Call(lambda line: self._converse(body, line), "model server")
        pieces = 0
        try:
            for chunk in call.listen(stop, math.inf):
                self._watch.heed(call.line.model, body["model"])
                pieces += bool(chunk.text)
                if pieces > sent.sampling.max_tokens + SPARE_PIECES:  # it does not keep to what was asked for
                    chunk = Chunk(end=End(Finish.LENGTH, 0, 0))
                yield chunk if chunk.end is None else self._ended(chunk, call.line, sent, pieces)
                if chunk.end is not None:
                    return
        finally:
            call.line.abandon()

    def _converse(self, body: dict[str, Any], line: Line) -> Finish:
        return wire.converse(self._server.endpoint, body, SILENT_SECONDS, line)

    def _ended(self, chunk: Chunk, line: Line, sent: Sent, pieces: int) -> Chunk:
        """The last chunk, with what was applied, and with what we counted where the server did not."""
        assert chunk.end is not None, "only the last chunk has an end"
        end = replace(chunk.end, adapters=tuple((file.name, file.scale) for file in self.applied))
        if not line.has_usage:
            end = replace(end, prompt_tokens=counting.likely(sent.messages), completion_tokens=pieces)
        return replace(chunk, end=end)
