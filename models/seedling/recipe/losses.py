"""The losses: the answer's tokens, and a guide that pulls the reading of a question towards its intent."""

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.seedling import tokenizer as bpe
from models.seedling.recipe import minilm
from models.seedling.recipe.model import Qwen2
from models.seedling.recipe.records import Opinions, Question, Settings
from shammah_trainer.dataset import IGNORED, Row, collate

LENGTH_STEP = 4


class Guide(nn.Module):
    """Wants the hidden state at a prompt's end to tell the intent, and MiniLM's vector."""

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
        meant = self._meant(ends)
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

    def choices(self, ends: Tensor) -> Tensor:
        """Scores of the intents, (rows, intents)."""
        scores: Tensor = self.choose(self._meant(ends) * minilm.SHARPNESS)
        return scores

    def as_linear(self, ends: Tensor) -> tuple[Tensor, Tensor]:
        """Nearly the same scores as a matrix, (intents, width), and a bias, for states of root mean square 1."""
        projected = self.project(self.norm(ends))
        sharpness = minilm.SHARPNESS / projected.norm(dim=-1).mean()
        matrix = sharpness * self.choose.weight @ self.project.weight * self.norm.weight
        return matrix, sharpness * self.choose.weight @ self.project.bias + self.choose.bias

    def _meant(self, ends: Tensor) -> Tensor:
        return functional.normalize(self.project(self.norm(ends)), dim=-1)

    def _truth(self, targets: Tensor, likely: Tensor, is_imagined: Tensor) -> Tensor:
        """Probabilities of intents: the mentor's where nobody knows better, else mostly the author's word."""
        smoothing = self._settings.smoothing
        known = functional.one_hot(targets, likely.shape[1]) * (1 - smoothing) + smoothing * likely
        return torch.where(is_imagined[:, None], likely, known)


class Losses:
    """What a batch of prompts costs, for a model and its guide.

    Attributes:
        answer_tokens: The tokens that occur in answers, and the controls, ascending; no other is ever a target.
    """

    def __init__(self, model: Qwen2, guide: Guide, answers: Sequence[Sequence[int]], settings: Settings) -> None:
        """Take the parts.

        Args:
            model: To train.
            guide: Trained with the reading layers.
            answers: The tokens of the answer to each intent.
            settings: The recipe's.
        """
        self._model, self._guide, self._answers, self._settings = model, guide, answers, settings
        self._device = model.lm_head.weight.device
        self._random = Random(settings.seed)
        controls = range(len(bpe.CONTROLS))
        tokens = sorted({*controls, *(token for answer in answers for token in answer)})
        self.answer_tokens = torch.tensor(tokens, device=self._device)

    def of_reading(self, prompts: Sequence[Row], questions: Sequence[Question]) -> Tensor:
        """What the guide says of the first layers, at the prompts' ends."""
        loss: Tensor = self._guide(self.ends([self._holed(prompt) for prompt in prompts]), questions)
        return loss

    def of_answering(self, prompts: Sequence[Row], _: Sequence[Question]) -> Tensor:
        """Cross entropy of the answers' tokens, for the layers after the reading ones, which stay as they are.

        What is to be written is the answer to what the reading layers understood, right or wrong: a writer that is
        taught another answer learns to doubt them, and doubts them on new questions too.
        """
        holed = [self._holed(prompt) for prompt in prompts]
        with torch.no_grad():
            chosen = self._guide.choices(self.ends(holed)).argmax(-1).tolist()
        rows = [_answered(prompt, self._answers[intent]) for prompt, intent in zip(holed, chosen, strict=True)]
        if self._random.random() < self._settings.short_share:
            rows = [row.shortened(self._settings.short_tokens) for row in rows]
        batch = collate(rows, padding=0, multiple=LENGTH_STEP)
        labels = batch.labels.roll(-1, dims=1).to(self._device)  # each place predicts the token after it
        labels[:, -1] = IGNORED
        is_target = labels != IGNORED
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            with torch.no_grad():
                hidden = self._model.read(batch.tokens.to(self._device), self._settings.reading_layers)
            written = self._model.write(hidden, self._settings.reading_layers)[is_target]
            # A sixth of the vocabulary occurs in answers, and only it is scored.
            logits = functional.linear(written, self._model.lm_head.weight[self.answer_tokens])
        return functional.cross_entropy(logits.float(), torch.searchsorted(self.answer_tokens, labels[is_target]))

    def ends(self, prompts: Sequence[Row]) -> Tensor:
        """What the reading layers make of prompts' ends, (prompts, width)."""
        tokens = collate(prompts, padding=0, multiple=LENGTH_STEP).tokens.to(self._device)
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            hidden = self._model.read(tokens, self._settings.reading_layers)
        places = torch.arange(len(prompts), device=self._device)
        return hidden[places, [prompt.prompt_tokens - 1 for prompt in prompts]].float()

    def _holed(self, prompt: Row) -> Row:
        """Blank a share of a prompt's tokens, so that no single word decides."""
        # Three tokens frame the question's beginning and five its end; they stay.
        last = prompt.prompt_tokens - 5
        share = self._settings.token_dropout
        tokens = (0 if 3 <= i < last and self._random.random() < share else t for i, t in enumerate(prompt.tokens))
        return Row(tuple(tokens), prompt.prompt_tokens)


def _answered(prompt: Row, answer: Sequence[int]) -> Row:
    return Row((*prompt.tokens, *answer), prompt.prompt_tokens)
