"""Where teaching happens: whom the tools ask, and by which door they were called."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shammah import admission, memory
from shammah.admission import Refuse, Wish
from shammah.assembly import Parts
from shammah.divergence import Embed
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.memory import Precedence
from shammah.records.bases import Base
from shammah.settings import Settings
from shammah.sides import LocalSide
from shammah.teaching.claude import Claude
from shammah.training import Trainer
from shammah_convert.examples import Source

Hear = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Classroom:
    """All that the tools need.

    Attributes:
        base: The model that is taught.
        local: It, as it answers now.
        claude: Who is asked where nobody gave an answer.
        find_embed: Finds the embedder, also one that a training has made since.
        door: By which the tools are called.
        author: Who calls them, as far as that is known.
        trainer: Gives whoever trains; the local model gives its memory back first where both do not fit.
        reload: Gives the open model the adapters that are active now; False where none is open.
        is_kept: Somebody keeps the local model open for many; trainings are left to the background.
        batches: Of all that came in by this classroom, oldest first.
        heard: Which test questions were answered right, by what was active: an answer is greedy, and the same again.
    """

    settings: Settings
    journal: Journal
    base: Base
    local: LocalSide
    claude: Claude
    heads: Heads
    find_embed: Callable[[], Embed | None]
    door: Source
    author: str
    trainer: Callable[[], Trainer]
    reload: Callable[[], bool]
    say: Callable[[str], None] = lambda _: None
    is_kept: bool = False
    batches: list[str] = field(default_factory=list)
    heard: dict[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def embed(self) -> Embed | None:
        """The embedder; None while there is none."""
        return self.find_embed()

    @contextmanager
    def answering(self) -> Iterator[LocalSide]:
        """The local side, for as long as it answers: a training stands still meanwhile."""
        with Precedence(self.settings.home, self.journal, self.say) as precedence:
            yield precedence.before(self.local) if self.is_kept else precedence.around(self.local, self.base)


def of_parts(
    parts: Parts,
    door: Source,
    author: str,
    budget_usd: float = math.inf,
    hear: Hear = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Classroom:
    """A classroom over the parts of a process."""
    settings, journal = parts.settings, parts.journal
    parts.adopt()

    def trainer() -> Trainer:
        wish = Wish("training", admission.training_bytes(parts.base.size), is_awaited=True)
        if isinstance(memory.decide(settings.home, journal, wish), Refuse):
            parts.close()  # both do not fit
        return Trainer(settings, journal, parts.open_bare, hear, parts.paraphraser())

    def reload() -> bool:
        is_open = parts.model is not None
        parts.open_active(parts.base)
        return is_open

    return Classroom(
        settings=settings,
        journal=journal,
        base=parts.base,
        local=parts.local(),
        claude=Claude(journal, parts.teacher(), budget_usd, is_offline=settings.offline),
        heads=parts.heads,
        find_embed=parts.meet_embedder,
        door=door,
        author=author,
        trainer=trainer,
        reload=reload,
        say=say,
        is_kept=parts.is_warm,
    )
