"""Settings, read once: flag, then environment, then config.toml, then default."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from shammah.amounts import Memory
from shammah.errors import ConfigError

PREFIX = "SHAMMAH_"
HOME_VARIABLE = "SHAMMAH_HOME"
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Memory: 'an amount of memory, such as "3GB", "2500MB" or "3GiB"',
}
# Variables of ours that are no settings.
RESERVED = frozenset({HOME_VARIABLE})


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which local model runs, and how.

    Attributes:
        path: A GGUF; empty means the built-in seedling.
        context_tokens: Upper bound of the context; 0 means what the model was trained for, 8192 at most.
        gpu_layers: "auto" offloads all layers where llama.cpp can.
        threads: 0 means the physical cores that others leave free.
    """

    path: str = ""
    context_tokens: int = 0
    gpu_layers: int | Literal["auto"] = "auto"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How an answer is generated."""

    system: str = ""
    max_tokens: int = 1024
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """Which Claude teaches, for how much and how long.

    Attributes:
        base_url: Empty means ANTHROPIC_BASE_URL, else Anthropic's own.
        deadline_seconds: For the whole answer, retries included.
    """

    model: str = "claude-sonnet-5-5"
    base_url: str = ""
    max_tokens: int = 8192
    max_usd_per_day: float = 1.0
    deadline_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How router and validator learn: "bayes", or the mission's reference learner "adam"."""

    learner: Literal["bayes", "adam"] = "bayes"


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """What local answers have to be like.

    Attributes:
        max_bad_rate: So many of them may be worse than the teacher's: a share, or "strict" (0.05), "balanced" (0.15) or
            "relaxed" (0.30); "off" answers locally from fixed probabilities of 0.5.
    """

    max_bad_rate: float | Literal["strict", "balanced", "relaxed", "off"] = "balanced"


@dataclass(frozen=True, slots=True)
class DivergenceSettings:
    """How a local answer is compared with the teacher's.

    Attributes:
        method: "auto" compares by meaning, by words without an embedder; "judge" lets the teacher grade both.
    """

    method: Literal["auto", "semantic", "bleu", "exact", "judge"] = "auto"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the background worker may do."""

    enabled: bool = True
    on_battery: bool = False


@dataclass(frozen=True, slots=True)
class ExampleSettings:
    """How much a training learns from: of each kind, so many of the newest examples."""

    feedback: int = 100
    teacher: int = 100


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """When the local model is trained, and where.

    Attributes:
        automatic: Whether training starts by itself after enough new examples.
        after_feedback: So many new examples of yours, with a target.
        after_examples: So many new ones of any source.
        python: The interpreter of another virtual environment that has the trainer; empty means this one.
        max_memory: That a training may take; empty allows all that is free.
        continue_active: Whether a training starts from what is active, instead of afresh.
        easy_first: Whether it learns the easiest examples first.
        preference: How much a wanted answer is to be preferred to the one that you rejected; 0 leaves that off.
        launch: A launcher's command, such as "accelerate launch --multi_gpu --num_processes 2"; empty trains alone.
    """

    automatic: bool = True
    after_feedback: int = 10
    after_examples: int = 100
    python: str = ""
    max_memory: Memory = field(default_factory=Memory)
    continue_active: bool = False
    easy_first: bool = False
    preference: float = 0.0
    launch: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a user can set. `offline` keeps every byte on this machine."""

    home: Path
    offline: bool = False
    model: ModelSettings = field(default_factory=ModelSettings)
    answer: AnswerSettings = field(default_factory=AnswerSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    heads: HeadSettings = field(default_factory=HeadSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    divergence: DivergenceSettings = field(default_factory=DivergenceSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    examples: ExampleSettings = field(default_factory=ExampleSettings)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)


def load(environ: Mapping[str, str] = os.environ, **flags: object) -> Settings:
    """Read all settings.

    Args:
        environ: Where SHAMMAH_HOME and SHAMMAH_<SECTION>_<KEY> are looked up.
        flags: Values from the command line, by dotted name with `__` for the dot; None means not given.

    Raises:
        ConfigError: A file cannot be read, or a key or value in file, environment or flag is wrong.
    """
    home = Path(environ.get(HOME_VARIABLE) or "~/.shammah").expanduser().absolute()
    settings = Settings(home=home)
    for name, value, origin in _in_order(home / "config.toml", environ, flags):
        settings = _with(settings, name, value, origin)
    _check(settings)
    return settings


def _in_order(file: Path, environ: Mapping[str, str], flags: Mapping[str, object]) -> list[tuple[str, Any, str]]:
    """Every given value as (dotted name, value, where it stands), weakest first."""
    rows = [(name, value, f"{file}: `{name}`") for name, value in _flatten(_read(file))]
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and variable not in RESERVED:
            rows.append((_dotted(variable), text, f"environment variable {variable}"))
    rows += [
        (name.replace("__", "."), value, f"the option for `{name.replace('__', '.')}`")
        for name, value in flags.items()
        if value is not None
    ]
    return rows


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # not TOML, not UTF-8, or a number of 5,000 digits
        raise ConfigError(f"{file} cannot be read: {error}", hint="Mend the file, or move it away.") from error


def _flatten(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        is_section = isinstance(value, dict) and (value or key in _sections())
        rows += _flatten(value, f"{prefix}{key}.") if is_section else [(prefix + key, value)]
    return rows


def _dotted(variable: str) -> str:
    """SHAMMAH_TEACHER_MAX_USD_PER_DAY -> teacher.max_usd_per_day, SHAMMAH_OFFLINE -> offline."""
    name = variable.removeprefix(PREFIX).lower()
    section, _, key = name.partition("_")
    return f"{section}.{key}" if key and section in _sections() else name


def _sections() -> list[str]:
    return [f.name for f in fields(Settings) if is_dataclass(f.type)]


def known_names() -> dict[str, Any]:
    """Every setting's dotted name and its type."""
    names: dict[str, Any] = {f.name: f.type for f in fields(Settings) if not is_dataclass(f.type)}
    del names["home"]
    for section in fields(Settings):
        if is_dataclass(section.type):
            names |= {f"{section.name}.{f.name}": f.type for f in fields(section.type)}
    return names


def _with(settings: Settings, name: str, value: Any, origin: str) -> Settings:
    names = known_names()
    if name not in names:
        nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.3)
        raise ConfigError(f"{origin} is unknown", hint=f"Did you mean `{nearest[0]}`?" if nearest else None)
    converted = _convert(value, names[name], origin)
    section, _, key = name.rpartition(".")
    if not section:
        return replace(settings, **{key: converted})
    return replace(settings, **{section: replace(getattr(settings, section), **{key: converted})})


def _convert(value: Any, wanted: Any, origin: str) -> Any:
    """The value as the wanted type; text from the environment is read as that type."""
    for kind in get_args(wanted) if _is_union(wanted) else (wanted,):
        try:
            return _convert_one(value, kind)
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
    raise ConfigError(f"{origin} is {value!r}", hint=f"It takes {_in_words(wanted)}.")


def _convert_one(value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return get_args(kind)[get_args(kind).index(value)]
    if kind is Memory:
        return Memory.read(str(value))
    if kind is bool and isinstance(value, str):
        return _BOOLEANS[value.lower()]
    if isinstance(value, bool) is not (kind is bool) or (kind is str and not isinstance(value, str)):
        raise TypeError
    if kind is int and isinstance(value, float):
        raise TypeError
    return kind(value)


def _is_union(wanted: Any) -> bool:
    # With a Literal in it, `|` makes a typing.Union before Python 3.14.
    return get_origin(wanted) in (Union, UnionType)


def _in_words(wanted: Any) -> str:
    if _is_union(wanted):
        return " or ".join(map(_in_words, get_args(wanted)))
    if get_origin(wanted) is Literal:
        return " or ".join(f'"{value}"' for value in get_args(wanted))
    return _WORDS[wanted]


def _check(settings: Settings) -> None:
    """Refuse numbers that mean nothing."""
    bounds = {
        "model.context_tokens": (settings.model.context_tokens, 0, 1 << 24),
        "model.threads": (settings.model.threads, 0, 1024),
        "answer.max_tokens": (settings.answer.max_tokens, 1, 1 << 20),
        "answer.temperature": (settings.answer.temperature, 0, 5),
        "teacher.max_tokens": (settings.teacher.max_tokens, 1, 128_000),
        "teacher.max_usd_per_day": (settings.teacher.max_usd_per_day, 0, 1e9),
        "trainer.preference": (settings.trainer.preference, 0, 100),
        "examples.feedback": (settings.examples.feedback, 1, 1_000_000),
        "examples.teacher": (settings.examples.teacher, 0, 1_000_000),
        "trainer.after_feedback": (settings.trainer.after_feedback, 1, 1_000_000),
        "trainer.after_examples": (settings.trainer.after_examples, 1, 1_000_000),
        "teacher.deadline_seconds": (settings.teacher.deadline_seconds, 0.1, 86_400),
    }
    if not isinstance(settings.quality.max_bad_rate, str):
        bounds["quality.max_bad_rate"] = (settings.quality.max_bad_rate, 0, 1)
    for name, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise ConfigError(f"`{name}` is {value}", hint=f"It takes a number from {low:,} to {high:,}.")


def with_model(settings: Settings, path: str) -> Settings:
    """The same settings for another model file."""
    return replace(settings, model=replace(settings.model, path=path))
