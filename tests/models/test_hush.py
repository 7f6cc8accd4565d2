"""Tokens that occur in no answer stay silent, and can be told apart by whatever is trained below the output layer."""

import torch
from torch import Tensor

from models.seedling import tokenizer as bpe
from models.seedling.recipe.hush import SHARE, hush
from shammah_convert.chat import IM_START

ANSWERS = torch.tensor([10, 11, 12])
SILENT = bpe.CONTROLS.index(IM_START)


def hushed() -> tuple[Tensor, Tensor]:
    before = torch.randn((200, 256), generator=torch.Generator().manual_seed(1))
    after = before.clone()
    hush(after, ANSWERS)
    return before, after


def test_answers_and_control_tokens_keep_their_rows() -> None:
    before, after = hushed()
    kept = [*range(len(bpe.CONTROLS)), *ANSWERS.tolist()]
    assert torch.equal(before[kept], after[kept])


def test_every_other_row_lies_as_far_from_the_silent_one_and_apart_from_all_others() -> None:
    before, after = hushed()
    others = torch.ones(len(after), dtype=torch.bool)
    others[ANSWERS] = False
    others[: len(bpe.CONTROLS)] = False
    directions = after[others] - before[SILENT]
    norm = SHARE * before[ANSWERS].norm(dim=1).mean()
    torch.testing.assert_close(directions.norm(dim=1), norm.expand(len(directions)))
    cosines = torch.nn.functional.cosine_similarity(directions[:, None], directions[None], dim=2)
    assert float((cosines - torch.eye(len(directions))).max()) < 0.5


def test_doing_it_again_changes_nothing() -> None:
    _, after = hushed()
    again = after.clone()
    hush(again, ANSWERS)
    assert torch.equal(after, again)
