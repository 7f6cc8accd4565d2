"""The teacher as whoever teaches: asked within the budgets of day, month and this run, and never beyond."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shammah.amounts import dollars
from shammah.errors import BudgetReached, KeyMissing, ShammahError, StaysHere
from shammah.generation import Completion, Finish, Sampling, Stop, Toolbox, never
from shammah.journal import Journal
from shammah.privacy import Redactor
from shammah.sides import TeacherSide, sent
from shammah_convert.chat import Message

MOST_TOKENS = 6000
HINT = "`shammah config show privacy.never_forward` has the patterns."


@dataclass(slots=True)
class Claude:
    """The teacher, with a purse of its own.

    Attributes:
        budget_usd: What all calls of this run may cost.
        spent_usd: What they cost so far; a call whose cost is not known counts as its worst case.
        is_offline: Nothing may leave this machine.
    """

    journal: Journal
    side: TeacherSide
    budget_usd: float = math.inf
    spent_usd: float = 0.0
    is_offline: bool = False
    stop: Stop = never

    @property
    def model(self) -> str:
        """Who teaches; empty where nobody can."""
        return self.side.generator.model if self.side.generator and not self.is_offline else ""

    @property
    def who(self) -> str:
        """What it is called in a sentence."""
        return self.side.who

    def keeps(self, text: str) -> bool:
        """Whether `privacy.never_forward` keeps a text on this machine."""
        return self.side.stays_here.meet([text])

    def ask(
        self,
        messages: Sequence[Message],
        schema: Mapping[str, object] | None = None,
        toolbox: Toolbox | None = None,
        most_tokens: int = MOST_TOKENS,
    ) -> Completion:
        """Complete a conversation, redacted.

        Raises:
            KeyMissing: There is no key, or nothing may leave this machine.
            StaysHere: `privacy.never_forward` matches something in it.
            BudgetReached: The worst case does not fit what is left.
            TeacherError: No whole answer came.
        """
        if not self.model:
            why = "may not be asked: offline" if self.is_offline else "cannot be asked: there is no key"
            raise KeyMissing(
                f"{self.who} {why}",
                hint="Give the answers yourself (`pairs`, `reference`), or go online with the teacher's key set.",
            )
        side = replace(self.side, max_tokens=min(most_tokens, self.side.max_tokens))
        if side.keeps(messages):  # before secrets are replaced, too
            raise StaysHere("something in this matches `privacy.never_forward`", hint=HINT)
        messages = Redactor().redact_all(messages)
        worst = side.worst_cost_usd(sent(messages, schema, toolbox))
        if not self.spent_usd + worst <= self.budget_usd:  # what is no number buys nothing
            left = f"of {dollars(self.budget_usd)} {dollars(self.spent_usd)} are spent"
            hint = "Give more with --budget, or go on tomorrow."
            raise BudgetReached(f"a call may cost {dollars(worst)}, and {left}", hint=hint)
        return self._paid(side, messages, schema, toolbox, worst)

    def _paid(
        self,
        side: TeacherSide,
        messages: Sequence[Message],
        schema: Mapping[str, object] | None,
        toolbox: Toolbox | None,
        worst: float,
    ) -> Completion:
        self.spent_usd += worst
        try:
            completion = side.complete(
                self.journal,
                None,
                lambda _: None,
                self.stop,
                messages=messages,
                sampling=Sampling(schema=schema, toolbox=toolbox),
            )
        except ShammahError as error:
            if isinstance(error, BudgetReached) or getattr(error, "is_free", False):
                self.spent_usd -= worst
            raise
        if completion.end.finish is not Finish.INTERRUPTED and completion.end.cost_usd is not None:
            self.spent_usd += completion.end.cost_usd - worst
        return completion
