"""Between which numbers each setting lies."""

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING

from shammah.errors import ConfigError, UsageError
from shammah.given import flag_of

if TYPE_CHECKING:
    from shammah.settings import Settings


def check(settings: "Settings", flags: Collection[str] = ()) -> None:
    """Refuse numbers that mean nothing.

    Args:
        settings: All of them.
        flags: The settings that were given as options.

    Raises:
        ConfigError: One of them is out of its bounds.
        UsageError: That one was given as an option.
    """
    for name, (value, low, high) in _bounds(settings).items():
        if not low <= value <= high:
            hint = f"It takes a number from {low:,} to {high:,}."
            if name in flags:
                raise UsageError(f"{flag_of(name)} is {value}", hint=hint)
            raise ConfigError(f"`{name}` is {value}", hint=hint)


def _bounds(settings: "Settings") -> dict[str, tuple[float, float, float]]:
    """Of each number its value, the least and the most."""
    bounds: dict[str, tuple[float, float, float]] = {
        "model.context_tokens": (settings.model.context_tokens, 0, 1 << 24),
        "model.threads": (settings.model.threads, 0, 1024),
        "answer.max_tokens": (settings.answer.max_tokens, 1, 1 << 20),
        "answer.temperature": (settings.answer.temperature, 0, 5),
        "teacher.max_tokens": (settings.teacher.max_tokens, 1, 128_000),
        "teacher.prompt_usd": (settings.teacher.prompt_usd, 0, 1_000_000),
        "teacher.completion_usd": (settings.teacher.completion_usd, 0, 1_000_000),
        "teacher.max_usd_per_day": (settings.teacher.max_usd_per_day, 0, 1_000_000_000),
        "teacher.max_usd_per_month": (settings.teacher.max_usd_per_month, 0, 1_000_000_000),
        "trainer.preference": (settings.trainer.preference, 0, 100),
        "trainer.learning_rate": (settings.trainer.learning_rate, 0, 0.1),
        "trainer.batch": (settings.trainer.batch, 0, 1024),
        "trainer.epochs": (settings.trainer.epochs, 0, 1000),
        "trainer.rank": (settings.trainer.rank, 0, 256),
        "adapters.min_similarity": (settings.adapters.min_similarity, 0, 1),
        "examples.feedback": (settings.examples.feedback, 1, 1_000_000),
        "examples.teacher": (settings.examples.teacher, 0, 1_000_000),
        "trainer.after_feedback": (settings.trainer.after_feedback, 1, 1_000_000),
        "trainer.after_examples": (settings.trainer.after_examples, 1, 1_000_000),
        "serve.port": (settings.serve.port, 0, 65535),
        "serve.max_body_mb": (settings.serve.max_body_mb, 1, 1024),
        "serve.connections": (settings.serve.connections, 1, 10_000),
        "teacher.deadline_seconds": (settings.teacher.deadline_seconds, 0.1, 86_400),
    }
    bounds |= {f"sampling.{name}": (value, 0, _most(name)) for name, value in asdict(settings.sampling).items()}
    if not isinstance(settings.quality.max_bad_rate, str):
        bounds["quality.max_bad_rate"] = (settings.quality.max_bad_rate, 0, 1)
    return bounds


def _most(name: str) -> float:
    """The most that a setting of sampling may be: a rate is a share."""
    return 100 if name.endswith("_factor") else 1
