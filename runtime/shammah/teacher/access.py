"""Where the teacher is, how it is opened, and what is never sent a prompt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from shammah.errors import ConfigError
from shammah.proxies import is_here
from shammah.settings import Provider, TeacherSettings

KEY_VARIABLES: Mapping[Provider, str] = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
URL_VARIABLES: Mapping[Provider, str] = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
OFFICIAL_URLS: Mapping[Provider, str] = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com/v1",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Where the teacher is and how it is opened; all of it comes from the environment or the configuration."""

    key: str
    url: str
    provider: Provider = "anthropic"

    @classmethod
    def find(cls, settings: TeacherSettings, environ: Mapping[str, str]) -> "Access | None":
        """Look for a key; None where there is none, and the teacher is not on this machine.

        Raises:
            ConfigError: The key is none, the base URL is neither https nor loopback, or the model is not the
                provider's.
        """
        provider, url = settings.provider, url_of(settings, environ)
        key = environ.get(KEY_VARIABLES[provider], "").strip()
        needs_key = provider == "anthropic" or not is_here(url)
        if needs_key and not key:
            return None
        check_key(key, KEY_VARIABLES[provider])
        check(url, "the teacher's base URL")
        if provider == "openai" and settings.model == TeacherSettings().model:
            raise ConfigError(
                f"{settings.model} is no model of OpenAI's API",
                hint="Name one as its server does: shammah config set teacher.model NAME",
            )
        return cls(key, url, provider)


def url_of(settings: TeacherSettings, environ: Mapping[str, str]) -> str:
    """The teacher's base URL: by the settings, the environment, or the provider's own."""
    provider = settings.provider
    return settings.base_url or environ.get(URL_VARIABLES[provider], "").strip() or OFFICIAL_URLS[provider]


def called(model: str) -> str:
    """What a teacher is called in a sentence."""
    return "Claude" if model.startswith("claude") else model


def called_all(models: Iterable[str], otherwise: str) -> str:
    """What those are called together who taught; by `otherwise`, the model that is set, where nobody did yet."""
    names = {called(model) for model in models} or {called(otherwise)}
    return names.pop() if len(names) == 1 else "the teacher"


def check_key(key: str, variable: str) -> None:
    """Refuse a key that no header can carry; what it holds is told to nobody.

    Raises:
        ConfigError: It has blanks, ends of lines or letters beyond ASCII.
    """
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{variable} holds blanks or other signs that no key has", hint=f"Set {variable} anew.")


def check(url: str, what: str) -> None:
    """Refuse an address that a prompt would travel to in the clear.

    Raises:
        ConfigError: It is neither https nor http on loopback.
    """
    if "@" in url:
        raise ConfigError(f"{what} holds a name or a password", hint="A key comes from its own variable.")
    if not _may_carry_a_prompt(url):
        raise ConfigError(f"{what} is {url!r}", hint="It takes an https URL, or http on loopback.")


def _may_carry_a_prompt(url: str) -> bool:
    if any(sign.isspace() or not sign.isprintable() for sign in url):  # one parser leaves them out, another does not
        return False
    try:
        parts = urlsplit(url)
        port_is_right = parts.port != 0
    except ValueError:  # an open bracket, a port that is no number
        return False
    is_private = parts.scheme == "https" or (parts.scheme == "http" and is_here(url))
    is_plain = url.isascii() and url.isprintable() and not any(sign in url for sign in "?# ")
    return is_private and bool(parts.hostname) and port_is_right and is_plain
