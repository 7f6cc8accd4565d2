"""How many secrets are found, and how many harmless prompts touched, on halves that no pattern was made from."""

from tests.secrets import harmless
from tests.secrets.measure import recall, touched

LEAST_RECALL, MOST_TOUCHED = 0.95, 0.02


def test_most_secrets_of_held_out_providers_and_in_held_out_framings_are_found() -> None:
    found = recall(one_in=12)
    assert found.of_held_out_providers.of > 800
    assert found.of_held_out_providers.value >= LEAST_RECALL
    assert found.of_held_out_framings.value >= LEAST_RECALL
    assert found.of_both_held_out.value >= LEAST_RECALL


def test_few_harmless_prompts_are_touched() -> None:
    for prompts, one_in in ((harmless.tricky(), 1), (harmless.ordinary(), 10)):
        held_out = touched(prompts, one_in).share(True)
        assert held_out.of > 90
        assert held_out.value <= MOST_TOUCHED
