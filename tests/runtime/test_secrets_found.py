"""How many secrets are found, and how many harmless prompts touched, on halves that no pattern was made from."""

from itertools import islice

from shammah.privacy import shapes
from tests.secrets import harmless
from tests.secrets.cases import cases
from tests.secrets.measure import recall, touched

LEAST_RECALL, MOST_TOUCHED = 0.95, 0.02
MOST_TOUCHED_OF_TRICKY = 0.03
"""Of prompts that were written to be taken for secrets."""


def test_most_secrets_of_held_out_providers_and_in_held_out_framings_are_found() -> None:
    found = recall(one_in=20)
    assert found.of_held_out_providers.of > 500
    assert found.of_held_out_providers.value >= LEAST_RECALL
    assert found.of_held_out_framings.value >= LEAST_RECALL
    assert found.of_both_held_out.value >= LEAST_RECALL


def test_a_pattern_is_looked_for_wherever_it_would_be_found() -> None:
    for case in islice(cases(), 0, None, 20):
        folded = case.text.casefold()
        found = [pattern for _, pattern in shapes.compiled() if pattern.search(case.text)]
        assert set(found) <= set(shapes.that_may_match(folded)), case.text


def test_few_harmless_prompts_are_touched() -> None:
    ordinary, tricky = touched(harmless.ordinary(), 20).share(True), touched(harmless.tricky()).share(True)
    assert ordinary.of > 1000
    assert (ordinary.count + tricky.count) / (ordinary.of + tricky.of) <= MOST_TOUCHED
    assert tricky.value <= MOST_TOUCHED_OF_TRICKY
