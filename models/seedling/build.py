"""Builds the seedling from its corpus in one command: `python -m models.seedling.build`."""

import argparse
import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.seedling.evaluate import GGUF, Report, evaluate, summary
from models.seedling.phrasings import Intent, read_cases, read_out_of_scope, training_intents
from models.seedling.recipe.model import Shape
from models.seedling.recipe.records import Settings
from models.seedling.recipe.train import Trained, train
from shammah.local import LocalModel
from shammah_convert.base import About, write_base
from shammah_convert.shape import BaseConfig
from shammah_convert.vocabulary import Vocabulary

CARD = Path(__file__).parent / "README.md"
DEFAULTS = Settings()
FIGURES = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def build(intents: Sequence[Intent], settings: Settings, path: Path) -> Trained:
    """Train a seedling and write it to a GGUF file, first as it is every few minutes, then as it ends."""
    return train(intents, settings, watch=lambda trained: write(trained, path))


def write(trained: Trained, path: Path) -> None:
    """Write a trained model as a Q8_0 GGUF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = About(
        name="Shammah seedling",
        license="apache-2.0",
        description="Answers everyday terminal, git and Python how-tos; word vectors from all-MiniLM-L6-v2.",
        extra={"shammah.seedling.examples": trained.examples},
    )
    vocabulary = Vocabulary.from_tokenizer_json(trained.tokenizer.to_str())
    write_base(path, config_of(trained.model.shape), weights_of(trained), vocabulary, about)


def config_of(shape: Shape) -> BaseConfig:
    """The shape, in the words of the converter."""
    return BaseConfig(
        architecture="qwen2",
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        layers=shape.layers,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_size=shape.head_size,
        context_tokens=shape.context_tokens,
        rope_theta=shape.rope_theta,
    )


def weights_of(trained: Trained) -> dict[str, NDArray[np.float32]]:
    """The parameters by their Hugging Face names."""
    state = trained.model.state_dict()
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in state.items()}


def fill_card(card: str, trained: Trained, report: Report, path: Path) -> str:
    """The model card with the figures of a build."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    parameters = sum(parameter.numel() for parameter in trained.model.parameters())
    figures = (
        f"| | |\n|---|---|\n"
        f"| sha256 | `{digest}` |\n"
        f"| size | {path.stat().st_size:,} bytes (Q8_0) |\n"
        f"| parameters | {parameters:,} |\n"
        f"| training | {trained.minutes:.0f} minutes, {trained.examples:,} examples |\n"
        f"| right | {report.right:,} of {report.asked:,} questions ({report.right_share:.1%}) |\n"
        f"| refused wrongly | {report.refused_wrongly:,} of {report.asked:,} |\n"
        f"| refused | {report.refused:,} of {report.out_of_scope:,} out-of-scope questions "
        f"({report.refused_share:.1%}) |\n"
    )
    return FIGURES.sub(lambda match: match[1] + figures + match[2], card)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the corpus, train, write the GGUF, evaluate it, and fill in the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=DEFAULTS.minutes, help="for the training loop")
    parser.add_argument("--threads", type=int, default=DEFAULTS.threads)
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed)
    parser.add_argument("--output", type=Path, default=GGUF)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = replace(DEFAULTS, minutes=options.minutes, threads=options.threads, seed=options.seed)
    intents = training_intents()
    trained = build(intents, settings, options.output)
    with LocalModel(options.output, gpu_layers=0) as model:
        report = evaluate(model, intents, read_cases(), read_out_of_scope())
    print(summary(report))
    if options.output == GGUF:
        CARD.write_text(fill_card(CARD.read_text("utf-8"), trained, report, GGUF), "utf-8")


if __name__ == "__main__":
    main()
