"""The engine's model as one request has it: with the adapters that are active for it, whatever others have."""

from collections.abc import Iterator, Sequence

from shammah.divergence import Embed
from shammah.errors import EngineError
from shammah.generation import Chunk, Facts, Sampling, Stop, never
from shammah.records.bases import Base
from shammah.serve.remote import Engine
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile

ANEW = "It is checked, and opened as what it is now: ask again in a moment."


class Bound:
    """A view of the engine's model, for one request; what is applied to it is asked of the engine with each answer."""

    def __init__(self, engine: Engine, stop: Stop) -> None:
        self._model = engine.model
        self._stop = stop

    @property
    def applied(self) -> tuple[AdapterFile, ...]:
        """What answers are asked with, in order."""
        return self._model.applied

    def apply(self, adapters: Sequence[AdapterFile]) -> None:
        """Ask for these from the next answer on; a stream that runs goes on with what it began with."""
        self._model = self._model.bound_to(adapters)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How long a prompt is, in tokens."""
        return len(self._model.prompt_tokens(messages))

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer."""
        return self._model.fits(prompt_tokens, max_tokens, limit_tokens)

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never, limit_tokens: int | None = None
    ) -> Iterator[Chunk]:
        """Complete a conversation, as long as both whoever asks and the request as a whole want it."""
        return self._model.stream(messages, sampling, lambda: stop() or self._stop(), limit_tokens)

    @property
    def facts(self) -> Facts:
        """What its file says of itself."""
        return self._model.facts

    @property
    def threads(self) -> int:
        """Of llama.cpp."""
        return self._model.threads

    @property
    def gpu_layers(self) -> int:
        """Layers that are offloaded."""
        return self._model.gpu_layers

    @property
    def context_tokens(self) -> int:
        """Of the context that is open now."""
        return self._model.context_tokens

    def close(self) -> None:
        """Leave the model to the others."""


class Kept:
    """The engine, as the parts of a request see it: a model and an embedder that are open."""

    def __init__(self, engine: Engine, base: Base, stop: Stop = never) -> None:
        """Take who has it open, which base that is, and whether nobody waits for the request any more."""
        self._engine = engine
        self._base = base
        self._stop = stop

    def model(self, base: Base) -> Bound:
        """A view of the model, with adapters of its own.

        Raises:
            EngineError: Another base is open: its file was replaced meanwhile, as the settings name the same one.
        """
        if base.sha256 != self._base.sha256:
            raise EngineError(f"{base.path} was replaced since the daemon opened it", hint=ANEW)
        return Bound(self._engine, self._stop)

    @property
    def embed(self) -> Embed | None:
        """Turns a text into its embedding; None without an embedder."""
        return self._engine.embed if self._engine.setup.embedder else None
