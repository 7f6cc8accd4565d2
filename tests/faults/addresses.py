"""The teacher's address, however it is written: nothing is ever sent in the clear to another machine."""

import random

import httpx2

from shammah.errors import ConfigError
from shammah.proxies import LOOPBACK, is_here, mounts, proxy_of
from shammah.settings import TeacherSettings
from shammah.teacher import Access
from tests.faults.promise import Promise, Trials

_PIECES = (
    "http://", "https://", "HTTP://", "ftp://", "//", "http:/", "localhost", "127.0.0.1", "[::1]", "evil.example", "@",
    "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", ":", ":80", ":0", ":99999", "\\", "/", "?", "#", "%40",
    "%2f", "..", ".", "\t", "\n", " ", "user", "user:pass@", "localhost.", "\uff4cocalhost", "\u246027.0.0.1", "[",
    "]", "\0",
    "é", "/v1", "localhost@",
)  # fmt: skip


def check(trials: Trials) -> str:
    """Write addresses of pieces that parsers take for different things, and ask the client where it would go."""
    chance, taken = random.Random(trials.seed), 0
    for _ in range(trials.count):
        text = "".join(chance.choices(_PIECES, k=chance.randrange(1, 7)))
        written = text if chance.random() < 0.5 else f"http://localhost{text}"
        try:
            access = Access.find(TeacherSettings(base_url=written), {"ANTHROPIC_API_KEY": "a-key"})
        except ConfigError:
            continue
        assert access is not None, "there is a key"
        if access.url == written:  # else it was empty, and the provider's own holds
            taken += _goes_nowhere_else(access.url)
    return f"{taken} addresses taken"


def _goes_nowhere_else(written: str) -> bool:
    """Whether the client would go there at all; in the clear only to this machine, and there by no proxy."""
    try:
        url = httpx2.URL(written)
    except httpx2.InvalidURL:
        return False
    if url.scheme == "https" or not url.host or url.scheme not in ("http", "https"):
        return url.scheme == "https"
    assert (url.scheme, url.host) in {("http", host) for host in LOOPBACK}, f"{written!r} leads to {url!r}"
    assert is_here(written), f"{written!r} is here"
    assert mounts(written), f"{written!r} may go by a proxy"
    assert proxy_of(written, {"ALL_PROXY": "http://p"}) is None, f"{written!r} may go by a proxy"
    return True


ADDRESSES = Promise(
    "addresses", "The teacher", "However its address is written, nothing goes to the teacher without TLS but here.",
    "addresses", 100_000, check,
)  # fmt: skip
