"""What may go to a model's server: everything to one on this machine, and to others what may go to the teacher."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from shammah.errors import StaysHere
from shammah.generation import Chunk, Sampling, beside
from shammah.patterns import Patterns
from shammah.privacy import Redactor
from shammah_convert.chat import Message

HINT = "Let a model answer on this machine: shammah ask --model seedling, or `shammah config unset model.server`."


@dataclass(frozen=True, slots=True)
class Sent:
    """A conversation as it goes to a server, and who puts back what was replaced in it."""

    messages: Sequence[Message]
    sampling: Sampling
    redactor: Redactor | None = None

    def restored(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The answer, with secrets where their placeholders stand."""
        return iter(chunks) if self.redactor is None else self.redactor.restore_stream(chunks)


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands between a conversation and a server.

    Attributes:
        is_away: The server is another machine.
        is_offline: Nothing may leave this one.
        stays_here: `privacy.never_forward`.
    """

    is_away: bool
    is_offline: bool = False
    stays_here: Patterns = field(default_factory=Patterns)

    def pass_on(self, messages: Sequence[Message], sampling: Sampling) -> Sent:
        """A conversation as it may go.

        Raises:
            StaysHere: It may not.
        """
        if not self.is_away:
            return Sent(messages, sampling)
        if self.is_offline:
            raise StaysHere("the model's server is another machine, and nothing may leave this one", hint=HINT)
        texts = [*(message.content for message in messages), *beside(sampling)]
        if self.stays_here.meet(texts):
            words = "the model's server is another machine, and this matches `privacy.never_forward`"
            raise StaysHere(words, hint=HINT)
        redactor = Redactor()
        return Sent(redactor.redact_all(messages), redactor.redact_sampling(sampling), redactor)
