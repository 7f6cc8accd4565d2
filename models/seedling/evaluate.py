"""Asks a seedling the evaluation's questions through llama.cpp: `python -m models.seedling.evaluate`."""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models.seedling.phrasings import REFUSAL, Intent, is_right, read_cases, read_intents, read_out_of_scope
from shammah.generation import Generator, Sampling
from shammah.local import LocalModel
from shammah_convert.chat import Message

ROOT = Path(__file__).parents[2]
GGUF = ROOT / "runtime" / "shammah" / "seedling" / "seedling.gguf"
FIRST_LINE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Wrong:
    """A question that was answered wrongly."""

    id: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found.

    Attributes:
        asked: In-scope questions.
        right: Of them, with an accepted first line.
        refused_wrongly: Of them, refused.
        out_of_scope: Questions that are to be refused.
        refused: Of those, refused.
        wrong: In-scope questions with another first line, and out-of-scope ones with an answer.
    """

    asked: int
    right: int
    refused_wrongly: int
    out_of_scope: int
    refused: int
    wrong: tuple[Wrong, ...]

    @property
    def right_share(self) -> float:
        """Of the in-scope questions."""
        return self.right / max(1, self.asked)

    @property
    def refused_share(self) -> float:
        """Of the out-of-scope questions."""
        return self.refused / max(1, self.out_of_scope)


def answer(model: Generator, question: str) -> str:
    """The first line of the greedy answer to a question that stands alone."""
    said = ""
    for chunk in model.stream([Message("user", question)], Sampling(max_tokens=FIRST_LINE_TOKENS)):
        said += chunk.text
        if "\n" in said.strip():
            break
    return said.strip().split("\n", 1)[0]


def evaluate(
    model: Generator,
    intents: Iterable[Intent],
    cases: Mapping[str, Sequence[str]],
    out_of_scope: Sequence[str] = (),
) -> Report:
    """Ask everything, greedily.

    Args:
        model: The open GGUF, or what stands for one.
        intents: With the answers that are right.
        cases: In-scope questions by intent id.
        out_of_scope: Questions to refuse.
    """
    known = {intent.id: intent for intent in intents}
    refusal = known.get(REFUSAL)
    wrong: list[Wrong] = []
    refused = refused_wrongly = 0
    for name, questions in cases.items():
        for question in questions:
            said = answer(model, question)
            refused_wrongly += refusal is not None and is_right(said, refusal)
            if not is_right(said, known[name]):
                wrong.append(Wrong(name, question, said))
    in_scope_wrong = len(wrong)
    for question in out_of_scope:
        said = answer(model, question)
        if refusal is not None and is_right(said, refusal):
            refused += 1
        else:
            wrong.append(Wrong(REFUSAL, question, said))
    asked = sum(len(questions) for questions in cases.values())
    return Report(asked, asked - in_scope_wrong, refused_wrongly, len(out_of_scope), refused, tuple(wrong))


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate a GGUF on the shipped evaluation, print the figures, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=GGUF)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write the figures and the wrong answers")
    options = parser.parse_args(arguments)
    with LocalModel(options.model, threads=options.threads, gpu_layers=0) as model:
        report = evaluate(model, read_intents(), read_cases(), read_out_of_scope())
    print(summary(report))
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=1) + "\n", "utf-8")


def summary(report: Report) -> str:
    """The figures in two lines."""
    return (
        f"right: {report.right} of {report.asked} ({report.right_share:.1%}), "
        f"refused wrongly: {report.refused_wrongly}\n"
        f"out of scope, refused: {report.refused} of {report.out_of_scope} ({report.refused_share:.1%})"
    )


if __name__ == "__main__":
    main()
