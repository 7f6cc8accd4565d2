"""What the guide decides, the first writing layer decides too, before it has learnt anything."""

import pytest
import torch
from torch.nn import functional

from models.seedling.recipe.handover import TooNarrow, hand_over
from models.seedling.recipe.losses import Guide
from models.seedling.recipe.model import Qwen2, Shape
from models.seedling.recipe.records import Settings

INTENTS, WIDTH, LAYER = 12, 32, 1


def parts(feed_forward: int) -> tuple[Qwen2, Guide, torch.Tensor]:
    """A model, a guide with opinions at random, and states that differ by what the guide makes of them."""
    torch.manual_seed(1)
    model = Qwen2(Shape(tokens=50, width=WIDTH, layers=2, heads=2, kv_heads=1, feed_forward=feed_forward))
    guide = Guide(INTENTS, None, Settings(width=WIDTH))
    centres = 3 * torch.randn(INTENTS, WIDTH)
    states = centres.repeat(200, 1) + 0.3 * torch.randn(200 * INTENTS, WIDTH) + 1.0
    optimizer = torch.optim.Adam(guide.parameters(), lr=1e-2)
    for _ in range(60):
        loss = functional.cross_entropy(guide.choices(states), torch.arange(INTENTS).repeat(200))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return model, guide, states


def test_one_neuron_fires_for_the_intent_that_the_guide_chooses() -> None:
    model, guide, states = parts(feed_forward=24)
    hand_over(model, guide, states, LAYER)
    weights = model.state_dict()
    scores = functional.rms_norm(states, (WIDTH,)) @ weights[f"model.layers.{LAYER}.mlp.gate_proj.weight"][:INTENTS].T
    chosen = guide.choices(states).argmax(-1)
    assert set(chosen.tolist()) == set(range(INTENTS))
    assert (scores.argmax(-1) == chosen).float().mean() > 0.95
    assert (scores.gather(1, chosen[:, None]) > 0).float().mean() > 0.8


def test_more_intents_than_neurons_are_refused() -> None:
    model, guide, states = parts(feed_forward=8)
    with pytest.raises(TooNarrow, match="12 intents"):
        hand_over(model, guide, states, LAYER)
