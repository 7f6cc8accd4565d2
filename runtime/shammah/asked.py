"""What a command asks and what it is told, as both travel between processes; nothing heavy is opened for them."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Forced = Literal["", "local", "teacher"]
INTERRUPTED = "interrupted"
OFFERED = "model_offered"
"""The flag that is raised once the person was asked whether a real model may be fetched."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as a command puts it, beside what the settings say.

    Attributes:
        forced: The side that is to answer, whatever the router thinks; empty leaves it to that.
        goes_on: From the last answer of this terminal.
        history: The turns before, role and content, where the command knows them.
        is_private: What it goes on from stays on this machine, though the history does not show why.
        max_teacher_tokens: Bounds the teacher's answer.
        tells_why: The decision is wanted too.
        hears_price: Somebody would read what the first forward costs.
    """

    text: str
    session: str
    forced: Forced = ""
    wants_verified: bool = False
    goes_on: bool = False
    history: tuple[tuple[str, str], ...] = ()
    is_private: bool = False
    seed: int | None = None
    max_teacher_tokens: int | None = None
    tells_why: bool = False
    hears_price: bool = False

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """What JSON made lists of is tuples again."""
        history = tuple((str(role), str(content)) for role, content in row.get("history", ()))
        return cls(**row | {"history": history})


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a question.

    Attributes:
        outcome: As `docs/ask.schema.json` describes it.
        count: Questions counted when it was asked.
        introduction: Who answered, where that is worth a line.
        notes: What else is.
        reasons: The decision, line by line, where it is wanted.
    """

    outcome: dict[str, Any]
    count: int
    introduction: str
    notes: tuple[str, ...]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """What JSON made lists of is tuples again."""
        return cls(**row | {"notes": tuple(row["notes"]), "reasons": tuple(row["reasons"])})

    def as_row(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The answer."""
        return str(self.outcome["answer"])

    @property
    def side(self) -> str:
        """Who gave it."""
        return str(self.outcome["route"])

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody stopped it."""
        return bool(self.outcome["finish_reason"] == INTERRUPTED)

    @property
    def lines(self) -> tuple[str, ...]:
        """All that is said beside the answer."""
        return (*((self.introduction,) if self.introduction else ()), *self.notes, *self.reasons)
