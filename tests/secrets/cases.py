"""Every secret in every framing that fits it, and the half that both lie in."""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from tests.secrets.drawing import Drawn, draw

_HERE = Path(__file__).parent
# Which framings fit which file of providers.
_FITTING = {
    "shaped": ("named", "placed", "bare", "around"),
    "shapeless": ("named", "placed"),
    "addresses": ("named", "bare", "around"),
    "blocks": ("around",),
    "passwords": ("around",),
}
_WINDOW = 8  # so many characters of a secret in a row are a leak


@dataclass(frozen=True)
class Provider:
    """Who gives out a secret, and one form of it."""

    name: str
    kind: str
    variable: str
    noun: str
    form: str


@dataclass(frozen=True)
class Framing:
    """What a secret stands in."""

    name: str
    template: str


@dataclass(frozen=True)
class Case:
    """One text with one secret."""

    provider: Provider
    framing: Framing
    text: str
    cores: tuple[str, ...]

    def leaks_in(self, redacted: str) -> bool:
        """Whether eight characters in a row of what is secret are still there."""
        return any(piece in redacted for core in self.cores for piece in _pieces(core))


def is_held_out(name: str) -> bool:
    """Whether a name's half is the one that nobody looks at."""
    return bool(hashlib.sha256(name.encode()).digest()[0] & 1)


def cases() -> Iterator[Case]:
    """All of them."""
    for kind, groups in _FITTING.items():
        for provider in providers(kind):
            for framing in (each for group in groups for each in framings(group)):
                yield _case(provider, framing)


@cache
def providers(kind: str) -> tuple[Provider, ...]:
    """Those of one file."""
    found = tomllib.loads((_HERE / f"{kind}.toml").read_text())
    return tuple(
        Provider(name, f"{kind}.{form}", *(words if len(words) == 3 else ["PASSWORD", "password", *words]))
        for name, forms in found.items()
        for form, words in forms.items()
    )


@cache
def framings(group: str) -> tuple[Framing, ...]:
    """Those of one table."""
    found = tomllib.loads((_HERE / "framings.toml").read_text())[group]
    return tuple(Framing(f"{group}.{name}", template) for name, template in found.items())


def _case(provider: Provider, framing: Framing) -> Case:
    drawn = draw(provider.form, f"{provider.name}/{provider.kind}/{framing.name}")
    words = {
        "variable": provider.variable,
        "lower": provider.variable.lower(),
        "dashed": provider.variable.lower().replace("_", "-"),
        "camel": _camel(provider.variable),
        "noun": provider.noun,
    }
    written = {name: write(drawn.text) for name, write in _WRITERS.items()}
    text = re.sub("«(\\w+)»", lambda found: (words | written)[found[1]], framing.template)
    return Case(provider, framing, text, _cores(drawn, framing))


def _cores(drawn: Drawn, framing: Framing) -> tuple[str, ...]:
    return tuple(quote(core, safe="") for core in drawn.cores) if "«url»" in framing.template else drawn.cores


def _pieces(core: str) -> Iterator[str]:
    size = min(_WINDOW, len(core))
    return (core[start : start + size] for start in range(len(core) - size + 1))


def _camel(variable: str) -> str:
    first, *others = variable.lower().split("_")
    return first + "".join(word.capitalize() for word in others)


def _by_line(before: str) -> Callable[[str], str]:
    return lambda text: "\n".join(before + line for line in text.split("\n"))


_WRITERS: dict[str, Callable[[str], str]] = {
    "text": str,
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "url": lambda text: quote(text, safe=""),
    "added": _by_line("+"),
    "removed": _by_line("-"),
    "quoted": _by_line("> "),
    "indented": _by_line("    "),
}
