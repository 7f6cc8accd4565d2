"""What was spent is what the calls cost, and what was saved is reckoned from tokens and list price."""

import pytest

from shammah.catalog import price_of
from shammah.journal.counted import Pairs, Spent, Tally
from shammah.stats import money

SONNET = "claude-sonnet-5-5"  # 2 dollars a million tokens read, 10 written: catalog.toml


def test_saved_is_the_list_price_of_the_local_answers_in_claudes_tokens() -> None:
    assumption = money.assume(SONNET, price_of(SONNET), Pairs(40, 1000, 1500, 1000, 2000))
    assert (assumption.prompt_ratio, assumption.completion_ratio, assumption.pairs) == (1.5, 2.0, 40)
    assert assumption.cost_usd(1_000_000, 1_000_000) == pytest.approx(1.5 * 2 + 2.0 * 10)


def test_of_too_few_pairs_claude_is_taken_to_need_as_many_tokens() -> None:
    assumption = money.assume(SONNET, price_of(SONNET), Pairs(19, 1000, 1500, 1000, 2000))
    assert (assumption.prompt_ratio, assumption.completion_ratio, assumption.pairs) == (1.0, 1.0, 0)


def test_the_bill_adds_up_and_learning_is_taken_from_what_was_saved() -> None:
    told = [
        Tally("d", True, "teacher", True, "cold_start", 1, 0, 0, 3.0),
        Tally("d", True, "teacher", False, "sampled", 1, 0, 0, 1.0),
        Tally("d", True, "local", True, "local_confident", 5, 1_000_000, 0, 0.0),
        Tally("d", False, "local", True, "offline", 5, 500_000, 0, 0.0),
        Tally("d", True, "local", False, "sampled", 5, 9_000_000, 0, 0.0),
    ]
    bill = money.money(told, [Spent("d", 4.75, 0.5)], 0.5, money.assume(SONNET, price_of(SONNET), Pairs(0, 0, 0, 0, 0)))
    parts = (bill.answers_usd, bill.comparisons_usd, bill.judge_usd, bill.other_usd)
    assert parts == (3.0, 1.0, 0.5, 0.25)
    assert sum(parts) == bill.spent_usd == 4.75
    assert (bill.reserved_usd, bill.saved_usd, bill.saved_by_routing_usd) == (0.5, 3.0, 2.0)
    assert bill.net_usd == pytest.approx(3.0 - 1.0 - 0.5 - 0.25)
    assert bill.local_answers == 10
