"""What router and validator learn from, and how that went."""

from dataclasses import dataclass

from shammah.records.questions import Answer, Question


@dataclass(frozen=True, slots=True)
class Lesson:
    """One labelled outcome, with what was seen."""

    id: int
    question: Question
    answer: Answer | None
    is_good: bool
    weight: float


@dataclass(frozen=True, slots=True)
class View:
    """Which lessons a head learns from: a reset or a rollback leaves some out, and deletes none.

    Attributes:
        number: Of the change that made it; 0 before the first.
        spans: Of lesson ids, (after, until), until None for what is still to come; only the last is open.
        inherits: Whether the lessons of earlier bases come before.
    """

    number: int = 0
    spans: tuple[tuple[int, int | None], ...] = ((0, None),)
    inherits: bool = True

    @property
    def start(self) -> int:
        """What comes after this lesson counts."""
        return self.spans[-1][0]

    def holds(self, lesson: int) -> bool:
        """Whether a lesson is one of them."""
        return any(after < lesson and (until is None or lesson <= until) for after, until in self.spans)

    def cut(self, cursor: int, last: int) -> "View":
        """The view that had seen lessons up to one, and goes on after another: what lies between is left out."""
        seen = [(after, min(cursor, until or cursor)) for after, until in self.spans if after < cursor]
        if seen and seen[-1][1] == last:
            return View(0, (*seen[:-1], (seen[-1][0], None)), self.inherits)
        return View(0, (*seen, (last, None)), self.inherits)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a new base takes over from earlier ones.

    Attributes:
        until: The last of their lessons that it learns from.
        questions: At which its own count starts.
    """

    until: int
    questions: int


@dataclass(frozen=True, slots=True)
class Fit:
    """How a head did when it was fitted again, from lesson to lesson.

    Attributes:
        lessons: That were taken in.
        last_lesson: Id of the last of them.
        early_loss: Mean log-loss, in nats, of what it said before each lesson of the first third; None without any.
        late_loss: The same of the last third.
    """

    lessons: int
    last_lesson: int
    early_loss: float | None
    late_loss: float | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Heads, active adapters and metrics as they were.

    Attributes:
        questions: Counted for the base then.
        folder: With whole files, as long as a row names it.
    """

    number: int
    created: str
    lineage: str
    questions: int
    why: str
    folder: str
