"""Which proxy a request goes through, as the environment has it; pure.

The HTTP clients read `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` by themselves. What is on this machine is
reached without: a proxy that speaks HTTP would read every prompt, and cannot even reach our loopback.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
NONE: Mapping[str, None] = {"http://": None, "https://": None}
"""What a client's `mounts` are where no proxy is to be used."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: the variable that names it, and where it is; its name and password are left out."""

    variable: str
    address: str


def is_url(text: str) -> bool:
    """Whether somebody means an address."""
    return text.lower().startswith(("http://", "https://"))


def is_here(url: str) -> bool:
    """Whether an address is on this machine."""
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:  # an open bracket
        return False


def mounts(url: str) -> Mapping[str, None]:
    """What keeps a client from a proxy on its way to an address; empty where one may be used."""
    return NONE if is_here(url) else {}


def proxy_of(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy on the way to an address; None where there is none."""
    parts = urlsplit(url)
    if is_here(url) or _is_left_out(parts.hostname or "", _value("no_proxy", environ)[1]):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        variable, value = _value(name, environ)
        if value:
            return Proxy(variable, _address(value))
    return None


def _value(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """A variable as it is spelled there, and what it holds: in small letters it wins, as the clients have it."""
    found = next((one for one in (name, name.upper()) if environ.get(one)), name)
    return found, environ.get(found, "").strip()


def _is_left_out(host: str, listed: str) -> bool:
    names = [name.strip().lower() for name in listed.split(",") if name.strip()]
    return any(name == "*" or host == name.lstrip(".") or host.endswith(f".{name.lstrip('.')}") for name in names)


def _address(value: str) -> str:
    """Host and port of a proxy, without what only it may know."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.hostname or ''}{port}"
