"""What share of the secrets is found, and what share of the harmless prompts is touched."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from shammah.privacy import Redactor
from tests.secrets.cases import Case, cases, is_held_out

Half = tuple[bool, bool]
"""Whether the provider is held out, and whether the framing is."""


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """As a number; of nothing, nothing."""
        return self.count / self.of if self.of else 0.0

    def __str__(self) -> str:
        """Both, and the percentage."""
        return f"{self.count:>6,} of {self.of:>6,}  {100 * self.value:6.2f}%"


@dataclass
class Recall:
    """What was found, by halves; failures are kept of the tuning half alone."""

    found: Counter[Half] = field(default_factory=Counter)
    seen: Counter[Half] = field(default_factory=Counter)
    failures: list[tuple[Case, str]] = field(default_factory=list)

    def take(self, case: Case) -> None:
        """Redact one text, and look for what is left of its secret."""
        half = is_held_out(case.provider.name), is_held_out(case.framing.name)
        redacted = Redactor().redact(case.text)
        leaks = case.leaks_in(redacted)
        self.seen[half] += 1
        self.found[half] += not leaks
        if leaks and half == (False, False):
            self.failures.append((case, redacted))

    def share(self, *halves: Half) -> Share:
        """Over some of the four quarters."""
        return Share(sum(self.found[half] for half in halves), sum(self.seen[half] for half in halves))

    @property
    def of_tuning(self) -> Share:
        """Where both are of the tuning half."""
        return self.share((False, False))

    @property
    def of_held_out_providers(self) -> Share:
        """Whole providers that were held out, in every framing."""
        return self.share((True, False), (True, True))

    @property
    def of_held_out_framings(self) -> Share:
        """Every provider, in whole framings that were held out."""
        return self.share((False, True), (True, True))

    @property
    def of_both_held_out(self) -> Share:
        """Where neither the provider nor the framing is of the tuning half."""
        return self.share((True, True))


def recall(one_in: int = 1) -> Recall:
    """Over all cases, or over one in so many, drawn by the hash of their names."""
    result = Recall()
    for case in cases():
        name = f"{case.provider.name}/{case.provider.kind}/{case.framing.name}"
        if _number(name) % one_in == 0:
            result.take(case)
    return result


@dataclass
class Touched:
    """Harmless prompts, by half; those that were touched are kept of the tuning half alone."""

    touched: Counter[bool] = field(default_factory=Counter)
    seen: Counter[bool] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def share(self, held_out: bool) -> Share:
        """Of one half."""
        return Share(self.touched[held_out], self.seen[held_out])


def touched(prompts: Iterable[str], one_in: int = 1) -> Touched:
    """Redact what holds no secret: all of it, or one prompt in so many."""
    result = Touched()
    for prompt in _each_once(prompts):
        if _number(prompt) % one_in:
            continue
        half = is_held_out(prompt)
        redacted = Redactor().redact(prompt)
        result.seen[half] += 1
        result.touched[half] += redacted != prompt
        if redacted != prompt and not half:
            result.failures.append(redacted)
    return result


def _number(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)


def _each_once(prompts: Iterable[str]) -> Iterator[str]:
    return iter(dict.fromkeys(prompts))
