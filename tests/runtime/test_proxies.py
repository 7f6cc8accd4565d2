"""Which proxy a request goes through, by the environment alone."""

import pytest

from shammah.proxies import Proxy, is_here, mounts, proxy_of

AWAY = "https://api.anthropic.com"


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, Proxy("HTTPS_PROXY", "p:3128")),
        ({"https_proxy": "p:3128"}, Proxy("https_proxy", "p:3128")),
        ({"HTTPS_PROXY": "http://big", "https_proxy": "http://small"}, Proxy("https_proxy", "small")),
        ({"HTTPS_PROXY": "http://me:secret@p:3128"}, Proxy("HTTPS_PROXY", "p:3128")),
        ({"HTTP_PROXY": "http://p"}, None),
        ({"ALL_PROXY": "socks5://p:1080"}, Proxy("ALL_PROXY", "p:1080")),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "localhost, .anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "thropic.com"}, Proxy("HTTPS_PROXY", "p")),
        ({"HTTPS_PROXY": "http://[::1"}, Proxy("HTTPS_PROXY", "an address that cannot be read")),
    ],
)
def test_the_environment_names_a_proxy(environ: dict[str, str], found: Proxy | None) -> None:
    assert proxy_of(AWAY, environ) == found


@pytest.mark.parametrize("url", ["http://127.0.0.1:8", "http://localhost:8", "http://[::1]:8", "https://localhost"])
def test_this_machine_is_reached_without_a_proxy(url: str) -> None:
    assert proxy_of(url, {"HTTP_PROXY": "http://p", "HTTPS_PROXY": "http://p", "ALL_PROXY": "http://p"}) is None
    assert is_here(url)
    assert set(mounts(url)) == {"http://", "https://"}
    assert not mounts(AWAY)
