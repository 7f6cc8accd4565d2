"""What may go to a model's server: everything to one on this machine, and to others what may go to the teacher."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from shammah.compatible.cards import HERE
from shammah.errors import StaysHere
from shammah.generation import Chunk, Sampling, beside
from shammah.patterns import Patterns
from shammah.privacy import Redactor
from shammah_convert.chat import Message


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
            raise StaysHere("the model's server is another machine, and nothing may leave this one", hint=HERE)
        texts = [*(message.content for message in messages), *beside(sampling), sampling.grammar]
        if self.stays_here.meet(texts):
            words = "the model's server is another machine, and this matches `privacy.never_forward`"
            raise StaysHere(words, hint=HERE)
        redactor = Redactor()
        redacted = redactor.redact_all(messages)
        wanted = replace(redactor.redact_sampling(sampling), grammar=redactor.redact(sampling.grammar))
        return Sent(redacted, wanted, redactor)
