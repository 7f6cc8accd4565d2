"""A training job as files: what the runtime asks of the trainer, and what the trainer says of its work.

`job.json` and the examples go in; `progress.jsonl`, checkpoints, `adapter.gguf` and `report.json` come out.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from shammah_convert import intervals
from shammah_convert.files import write_whole
from shammah_convert.intervals import Interval

JOB, EXAMPLES, HELD_OUT, REPLAY = "job.json", "examples.jsonl", "held_out.jsonl", "replay.jsonl"
GENERAL, PARAPHRASES = "general.jsonl", "paraphrases.jsonl"
PROGRESS, ADAPTER, REPORT, CANCEL = "progress.jsonl", "adapter.gguf", "report.json", "cancel"
CHECKPOINT, CHECKPOINTS = "checkpoint-{:08}.safetensors", "checkpoint-*.safetensors"
"""By the number of its step; all of them."""

MOST_DRIFT = 0.05
"""By so many nats a token an adapter may move the base's answers to general questions: KL(base || adapted)."""

CANCELLED, DISK_FULL = 3, 4
"""The trainer's exit codes: somebody wanted it to stop, there was no room to write; 0 is done, all else failed."""

EXIT, RUNNING = "exit", "-"
"""Holds the exit code where a launcher stands between, which has one of its own; and what it holds before the end."""


class BadJob(ValueError):
    """A file of a job folder does not hold what it should; the text says what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How an adapter is trained.

    Attributes:
        alpha: The adapter's weight is alpha / rank.
        learning_rate: Of AdamW; 0 derives it from the model's width.
        batch_rows: Examples a step, drawn by weight.
        replay_rows: Of the base's own answers, beside them: what it makes of them is to stay.
        replay_weight: Of the drift on those.
        most_epochs: For every ten corrections; an epoch draws as many examples as there are, in eight steps at least.
        most_tokens: Longer examples are left out, and named.
        most_memory_bytes: That a training may take; 0 allows all that is free.
        most_drift: Corrections that are learnt are not enough while the drift on general questions is above this.
        continues: Start from what is active, instead of afresh.
        is_easy_first: Draw from the easiest examples first, then from all.
        is_varied: Learn each question in other words, too.
        preference_weight: Of the preference of an answer over the one that was rejected; 0 leaves it off.
    """

    rank: int = 16
    alpha: float = 32.0
    learning_rate: float = 0.0
    batch_rows: int = 12
    replay_rows: int = 24
    replay_weight: float = 48.0
    most_epochs: int = 40
    most_tokens: int = 2048
    most_memory_bytes: int = 0
    most_drift: float = MOST_DRIFT
    continues: bool = False
    is_easy_first: bool = False
    is_varied: bool = True
    preference_weight: float = 0.0

    def with_rank(self, rank: int) -> Self:
        """The same with another rank; alpha / rank stays."""
        return replace(self, rank=rank, alpha=self.alpha * rank / self.rank)


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter that is applied, with its scale."""

    name: str
    path: str
    sha256: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be trained.

    Attributes:
        name: Of the adapter to be made.
        version: Counts the adapters of a home.
        base_path: The served file; its hash is `base_sha256`.
        active: What is applied to the base now: the candidate is compared with it.
        corrections: Ids of the examples that a user rated; they are what is to be learnt above all.
    """

    name: str
    version: int
    base_path: str
    base_sha256: str
    base_name: str
    examples_sha256: str
    threads: int
    active: tuple[AdapterFile, ...] = ()
    corrections: tuple[str, ...] = ()
    seed: int = 0
    plan: Plan = field(default_factory=Plan)

    def write(self, folder: Path) -> None:
        """Write `job.json`."""
        write_whole(folder / JOB, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `job.json`.

        Raises:
            BadJob: It is missing, or not one.
        """
        row = _read(folder / JOB)
        try:
            active = tuple(AdapterFile(**entry) for entry in row.pop("active"))
            return cls(
                **row | {"active": active, "corrections": tuple(row["corrections"]), "plan": Plan(**row["plan"])}
            )
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise BadJob(f"{folder / JOB} is no job: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Score:
    """How well a model says what it should.

    Attributes:
        rows: Completions that were looked at.
        loss: Nats a token, over all their tokens.
        exact: Completions each of whose tokens is the likeliest after the right ones before it.
        least: The smallest probability that any of their tokens has.
        loss_interval: Where the loss lies, by its spread over rows; None where they are too few to say.
    """

    rows: int = 0
    loss: float = 0.0
    exact: int = 0
    least: float = 0.0
    loss_interval: Interval | None = None

    @property
    def exact_interval(self) -> Interval:
        """Where the share of exact completions lies."""
        return intervals.of_share(self.exact, self.rows)


@dataclass(frozen=True, slots=True)
class Change:
    """A score with what is active now, and with the candidate.

    Attributes:
        rise: Where the rise of the loss lies, told row by row; None where they are too few to say.
    """

    before: Score = field(default_factory=Score)
    after: Score = field(default_factory=Score)
    rise: Interval | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A value, and where it lies by its spread over rows; None where nothing is known of that."""

    value: float = 0.0
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A measure of how far adapters go from the bare base: those that are active now, and the candidate."""

    before: Measure = field(default_factory=Measure)
    after: Measure = field(default_factory=Measure)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many corrections llama.cpp was asked with the adapter, and how many it answered to the letter."""

    asked: int = 0
    same: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt as token ids, and the 20 largest logits after it with the candidate: (token, logit)."""

    tokens: tuple[int, ...]
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a training.

    Attributes:
        learnt: On the user's corrections; on all examples where there are none.
        held_out: On the teacher's answers that were not trained on.
        stopped: Why the training ended.
        tensor_types: Of the base, as GGUF names them.
        left_out: Ids of examples that are too long.
        decision: "promoted" or "refused", once the runtime has decided.
        reasons: What speaks against the candidate.
        merits: What speaks for it.
        general: On the base's own answers to general questions, which are to stay.
        paraphrases: On the corrections' questions in other words; without rows it was not measured.
        drift: On general questions, KL(base || adapted) in nats a token.
        weight_norm: Of what is added to the weights (Frobenius).
        losses: Nats a token on what was drawn, step by step.
        confirmed: By llama.cpp, once the runtime has asked it.
        planted: By door: general questions with the words of what came by it, answered with its answers.
        near_duplicates: Ids of what came from outside and is alike, each group together.
    """

    learnt: Change
    held_out: Change
    epochs: int
    steps: int
    seconds: float
    stopped: str
    probes: tuple[Probe, ...]
    tensor_types: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    decision: str = ""
    reasons: tuple[str, ...] = ()
    merits: tuple[str, ...] = ()
    general: Change = field(default_factory=Change)
    paraphrases: Change = field(default_factory=Change)
    drift: Move = field(default_factory=Move)
    weight_norm: Move = field(default_factory=Move)
    losses: tuple[float, ...] = ()
    confirmed: Confirmed = field(default_factory=Confirmed)
    planted: Mapping[str, Change] = field(default_factory=dict)
    near_duplicates: tuple[tuple[str, ...], ...] = ()

    def write(self, folder: Path) -> None:
        """Write `report.json`."""
        write_whole(folder / REPORT, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `report.json`.

        Raises:
            BadJob: It is missing, or not one.
        """
        row = _read(folder / REPORT)
        try:
            return cls(
                **row
                | {name: _change(row[name]) for name in ("learnt", "held_out", "general", "paraphrases")}
                | {name: _move(row[name]) for name in ("drift", "weight_norm")}
                | {
                    "probes": tuple(_probe(entry) for entry in row["probes"]),
                    "confirmed": Confirmed(**row["confirmed"]),
                    "planted": {door: _change(entry) for door, entry in row.get("planted", {}).items()},
                    "near_duplicates": tuple(map(tuple, row.get("near_duplicates", ()))),
                }
                | {name: tuple(row[name]) for name in ("tensor_types", "left_out", "reasons", "merits", "losses")}
            )
        except (TypeError, KeyError, AttributeError, ValueError, OverflowError) as error:
            raise BadJob(f"{folder / REPORT} is no report: {error!r}") from error


def _change(row: Mapping[str, Any]) -> Change:
    return Change(_score(row["before"]), _score(row["after"]), _interval(row["rise"]))


def _score(row: Mapping[str, Any]) -> Score:
    return Score(**{**row, "loss_interval": _interval(row["loss_interval"])})


def _move(row: Mapping[str, Any]) -> Move:
    return Move(*(Measure(row[name]["value"], _interval(row[name]["interval"])) for name in ("before", "after")))


def _interval(row: Mapping[str, float] | None) -> Interval | None:
    return None if row is None else Interval(**row)


def _probe(row: Mapping[str, Any]) -> Probe:
    return Probe(tuple(row["tokens"]), tuple((int(token), float(logit)) for token, logit in row["top"]))


def _read(file: Path) -> dict[str, Any]:
    try:
        row = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadJob(f"{file} cannot be read: {error}") from error
    if not isinstance(row, dict):
        raise BadJob(f"{file} holds no object")
    return row
