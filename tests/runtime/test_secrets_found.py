"""How many secrets are found, and how many harmless prompts touched, on halves that no pattern was made from."""

from tests.secrets import harmless
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


def test_few_harmless_prompts_are_touched() -> None:
    ordinary, tricky = touched(harmless.ordinary(), 20).share(True), touched(harmless.tricky()).share(True)
    assert ordinary.of > 1000
    assert (ordinary.count + tricky.count) / (ordinary.of + tricky.of) <= MOST_TOUCHED
    assert tricky.value <= MOST_TOUCHED_OF_TRICKY
