"""A question on its way from a command to the daemon, with all that the command would have gone by itself."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Self

from shammah import __version__, config
from shammah.amounts import Memory
from shammah.asked import Asked
from shammah.given import Given
from shammah.patterns import Patterns
from shammah.settings import Settings

# What a command's environment says beyond its settings: keys, addresses, proxies. It goes to the daemon, which is the
# same user's, for one answer and what that leaves to the background; it is neither logged nor stored.
PREFIXES = ("SHAMMAH_", "ANTHROPIC_", "OPENAI_", "MODEL_SERVER_", "HF_")
NETWORK = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for name in (upper, upper.lower())
)


@dataclass(frozen=True, slots=True)
class Call:
    """A question, and whose it is.

    Attributes:
        version: Of the command's Shammah.
        given: The settings that are not as they are by default.
        environ: What the command's environment says of keys, addresses and proxies.
        may_fetch: The model that is wanted may be fetched meanwhile.
        has_terminal: Somebody is there who could be asked.
    """

    version: str
    asked: Asked
    given: tuple[tuple[str, Any], ...]
    environ: dict[str, str]
    may_fetch: bool
    has_terminal: bool

    @classmethod
    def here(
        cls, asked: Asked, settings: Settings, may_fetch: bool, has_terminal: bool, environ: Mapping[str, str]
    ) -> Self:
        """A question of this process."""
        return cls(__version__, asked, tuple(changed(settings)), carried(environ), may_fetch, has_terminal)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """As it was sent.

        Raises:
            KeyError: Something is missing; also TypeError and ValueError, where it is no call.
        """
        return cls(
            version=str(row["version"]),
            asked=Asked.of(row["asked"]),
            given=tuple((str(name), value) for name, value in row["given"]),
            environ={str(name): str(value) for name, value in row["environ"].items()},
            may_fetch=bool(row["may_fetch"]),
            has_terminal=bool(row["has_terminal"]),
        )

    def as_row(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def settings(self, home: Path) -> Settings:
        """What the command's settings are.

        Raises:
            ConfigError: One of them is wrong.
        """
        return config.of(home, (Given(name, value, "the command", f"`{name}`") for name, value in self.given))


def changed(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting that is not as it is by default, by its dotted name."""
    plain = _values(Settings(home=settings.home))
    for name, value in _values(settings).items():
        if value != plain[name]:
            yield name, _plain(value)


def _plain(value: Any) -> Any:
    """A value as JSON has it, and as it is read again."""
    match value:
        case Memory():
            return str(value)
        case Patterns():
            return list(value.texts)
        case _:
            return value


def _values(settings: Settings) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        inner = (
            {f"{one.name}.{part.name}": getattr(value, part.name) for part in fields(value)}
            if is_dataclass(value)
            else {}
        )
        values |= inner or {one.name: value}
    del values["home"]
    return values


def carried(environ: Mapping[str, str]) -> dict[str, str]:
    """What of an environment goes with a question."""
    return {name: value for name, value in environ.items() if name.startswith(PREFIXES) or name in NETWORK}


def network(environ: Mapping[str, str]) -> dict[str, str]:
    """How an environment reaches the network."""
    return {name: value for name, value in environ.items() if name in NETWORK}


def beside(environ: Mapping[str, str], ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Our environment with what a command's says in the place of ours."""
    return {name: value for name, value in ours.items() if name not in carried(ours)} | dict(environ)
