"""What the teacher cost, and what the local answers saved."""

from collections.abc import Sequence
from dataclasses import dataclass

from shammah import catalog
from shammah.catalog import Price
from shammah.journal.counted import Pairs, Spent, Tally
from shammah.policy import Side

LEAST_PAIRS = 20
"""With fewer questions that both sides answered, the teacher is taken to need as many tokens as the local model."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """What the teacher's price of a local answer is reckoned from.

    Attributes:
        input_usd: List price of a million tokens; None where the catalog does not know the teacher.
        prompt_ratio: The teacher's tokens for a prompt, to the local model's.
        completion_ratio: The same of answers.
        pairs: Questions that both sides answered whole, from which the ratios are; 0 where they are taken to be 1.
    """

    teacher: str
    prices_of: str
    input_usd: float | None
    output_usd: float | None
    prompt_ratio: float
    completion_ratio: float
    pairs: int

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What answers of so many local tokens would have cost; None where the price is not known."""
        if self.input_usd is None or self.output_usd is None:
            return None
        prompt = prompt_tokens * self.prompt_ratio * self.input_usd
        return (prompt + completion_tokens * self.completion_ratio * self.output_usd) / 1e6


@dataclass(frozen=True, slots=True)
class Money:
    """Dollars spent and saved.

    Attributes:
        spent_usd: All calls whose cost is known: the four below.
        answers_usd: Answers that were given.
        comparisons_usd: Answers that were asked for to learn from.
        judge_usd: Grades of answers.
        other_usd: Rewrites of rejected answers, corrections in other words, calls that gave nothing.
        reserved_usd: Beyond that, at most: set aside for calls whose cost was never told.
        saved_usd: What the local answers would have cost; None where the teacher's price is not known.
        saved_by_routing_usd: The part of it that the router chose.
        net_usd: Saved, less what learning cost: comparisons, judge and other.
        local_answers: That were given.
    """

    spent_usd: float
    answers_usd: float
    comparisons_usd: float
    judge_usd: float
    other_usd: float
    reserved_usd: float
    saved_usd: float | None
    saved_by_routing_usd: float | None
    net_usd: float | None
    local_answers: int
    assumption: Assumption


def assume(teacher: str, price: Price | None, pairs: Pairs) -> Assumption:
    """What is taken to hold of a teacher's price and tokens."""
    is_known = pairs.pairs >= LEAST_PAIRS and pairs.local_prompt > 0 and pairs.local_completion > 0
    return Assumption(
        teacher=teacher,
        prices_of=catalog.prices_date(),
        # A local context is shorter than the prompts from which on a teacher costs more.
        input_usd=price.input if price else None,
        output_usd=price.output if price else None,
        prompt_ratio=pairs.teacher_prompt / pairs.local_prompt if is_known else 1.0,
        completion_ratio=pairs.teacher_completion / pairs.local_completion if is_known else 1.0,
        pairs=pairs.pairs if is_known else 0,
    )


def money(tallies: Sequence[Tally], spent: Sequence[Spent], judge_usd: float, assumption: Assumption) -> Money:
    """The bill, and what it would have been."""
    teacher = [tally for tally in tallies if tally.side == Side.TEACHER]
    answers = sum(tally.cost_usd for tally in teacher if tally.is_shown)
    comparisons = sum(tally.cost_usd for tally in teacher if not tally.is_shown)
    settled = sum(day.settled_usd for day in spent)
    other = max(0.0, round(settled - answers - comparisons - judge_usd, 9))  # sums of floats differ by a hair
    given = given_locally(tallies)
    saved = saved_usd(given, assumption)
    return Money(
        spent_usd=settled,
        answers_usd=answers,
        comparisons_usd=comparisons,
        judge_usd=judge_usd,
        other_usd=other,
        reserved_usd=sum(day.reserved_usd for day in spent),
        saved_usd=saved,
        saved_by_routing_usd=saved_usd([tally for tally in given if tally.is_counted], assumption),
        net_usd=None if saved is None else saved - comparisons - judge_usd - other,
        local_answers=sum(tally.answers for tally in given),
        assumption=assumption,
    )


def given_locally(tallies: Sequence[Tally]) -> list[Tally]:
    """The local answers that users saw."""
    return [tally for tally in tallies if tally.side == Side.LOCAL and tally.is_shown]


def saved_usd(given: Sequence[Tally], assumption: Assumption) -> float | None:
    """What local answers would have cost; None where the teacher's price is not known."""
    prompt, completion = (sum(tally.prompt_tokens for tally in given), sum(tally.completion_tokens for tally in given))
    return assumption.cost_usd(prompt, completion)
