"""The losses: the answer's tokens, and a guide that pulls the reading of a question towards its intent."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.seedling.recipe import minilm
from models.seedling.recipe.model import Qwen2
from models.seedling.recipe.records import Opinions, Question, Settings
from shammah_trainer.dataset import IGNORED, Row, collate

LENGTH_STEP = 4


class Guide(nn.Module):
    """Wants the hidden state at a prompt's end to tell the intent, and MiniLM's vector; thrown away later."""

    def __init__(self, intents: int, opinions: Opinions | None, settings: Settings) -> None:
        super().__init__()
        self._opinions, self._settings = opinions, settings
        self.norm = nn.RMSNorm(settings.width)
        self.project = nn.Linear(settings.width, minilm.WIDTH)
        self.choose = nn.Linear(minilm.WIDTH, intents)
        if opinions is not None:
            self.choose.load_state_dict(opinions.head.state_dict())

    def forward(self, ends: Tensor, questions: Sequence[Question]) -> Tensor:
        """How far hidden states, (rows, width), are from what is known of their questions."""
        meant = functional.normalize(self.project(self.norm(ends)), dim=-1)
        choices = self.choose(meant * minilm.SHARPNESS)
        targets = torch.tensor([question.intent for question in questions], device=ends.device)
        if self._opinions is None:
            return functional.cross_entropy(choices, targets, label_smoothing=self._settings.smoothing)
        places = torch.tensor([question.opinion for question in questions])
        likely = self._opinions.probabilities[places].float().to(ends.device)
        wanted = self._opinions.vectors[places].float().to(ends.device)
        is_imagined = torch.tensor([question.is_imagined for question in questions], device=ends.device)
        surprise = functional.cross_entropy(choices, self._truth(targets, likely, is_imagined))
        return surprise + self._settings.meaning_weight * (1 - (meant * wanted).sum(-1)).mean()

    def _truth(self, targets: Tensor, likely: Tensor, is_imagined: Tensor) -> Tensor:
        """Probabilities of intents: the mentor's where nobody knows better, else mostly the author's word."""
        smoothing = self._settings.smoothing
        known = functional.one_hot(targets, likely.shape[1]) * (1 - smoothing) + smoothing * likely
        return torch.where(is_imagined[:, None], likely, known)


class Losses:
    """What a batch costs, for a model and its guide.

    Attributes:
        answer_tokens: The tokens that occur in answers, ascending; no other is ever a target.
    """

    def __init__(self, model: Qwen2, guide: Guide, answer_tokens: Tensor, settings: Settings) -> None:
        self._model, self._guide, self._settings = model, guide, settings
        self._device = model.lm_head.weight.device
        self.answer_tokens = answer_tokens.to(self._device)

    def of_reading(self, rows: Sequence[Row], questions: Sequence[Question]) -> Tensor:
        """What the guide says of the first layers, at the ends of prompts that stand alone."""
        prompts = [row.shortened(0) for row in rows]
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            hidden = self._read(collate(prompts, padding=0, multiple=LENGTH_STEP).tokens, rows)
        ends = torch.tensor([row.prompt_tokens - 1 for row in rows], device=self._device)
        places = torch.arange(len(rows), device=self._device)
        loss: Tensor = self._guide(hidden[places, ends].float(), questions)
        return loss

    def of_answering(self, rows: Sequence[Row], questions: Sequence[Question]) -> Tensor:
        """Cross entropy of the answers' tokens, for the layers after the reading ones, which stay as they are."""
        batch = collate(rows, padding=0, multiple=LENGTH_STEP)
        labels = batch.labels.roll(-1, dims=1).to(self._device)  # each place predicts the token after it
        labels[:, -1] = IGNORED
        is_target = labels != IGNORED
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            with torch.no_grad():
                hidden = self._read(batch.tokens, rows)
            written = self._model.write(hidden, self._settings.reading_layers)[is_target]
            # A sixth of the vocabulary occurs in answers, and only it is scored.
            logits = functional.linear(written, self._model.lm_head.weight[self.answer_tokens])
        return functional.cross_entropy(logits.float(), torch.searchsorted(self.answer_tokens, labels[is_target]))

    def _read(self, tokens: Tensor, rows: Sequence[Row]) -> Tensor:
        holed = _with_holes(tokens, rows, self._settings.token_dropout).to(self._device)
        return self._model.read(holed, self._settings.reading_layers)


def _with_holes(tokens: Tensor, rows: Sequence[Row], share: float) -> Tensor:
    """Blank a share of the prompt's tokens, so that no single word decides."""
    # Three tokens frame the question's beginning and six its end; they stay.
    ends = torch.tensor([row.prompt_tokens for row in rows])[:, None]
    place = torch.arange(tokens.shape[1])[None]
    is_hole = (torch.rand(tokens.shape) < share) & (place >= 3) & (place < ends - 5)
    return tokens.masked_fill(is_hole, 0)
