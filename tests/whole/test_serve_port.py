"""The daemon's port: what programs get there, and what keeps others out."""

import http.client
import json
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shammah import config
from shammah.errors import ConfigError, ServeError
from shammah.serve import connection, doors
from shammah.serve.place import TOKEN, socket_of
from shammah.serve.token import token_of
from tests.serving import Serving
from tests.whole.command import Home

QUIET = {"SHAMMAH_WORKER_ENABLED": "false"}
MOST = 4


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    patched = connection.Connection
    before = patched.head_seconds, patched.most_silent
    patched.head_seconds, patched.most_silent = 0.3, MOST
    home = Home.used(tmp_path_factory.mktemp("home"), QUIET)
    try:
        with Serving(home, serve__connections=MOST, serve__max_body_mb=1) as running:
            yield running
    finally:
        patched.head_seconds, patched.most_silent = before


def test_socket_and_token_are_their_users_alone(serving: Serving) -> None:
    home = serving.home.path
    assert [file.stat().st_mode & 0o777 for file in (socket_of(home), home / TOKEN)] == [0o600, 0o600]


def test_health_tells_everybody_nothing_else(serving: Serving) -> None:
    assert serving.http("GET", "/health", headers={"Authorization": ""})[:2] == (200, {"status": "ok"})
    assert serving.http("GET", "/stats", headers={"Authorization": ""})[0] == 401


def test_the_figures_are_those_of_the_commands(serving: Serving) -> None:
    serving.home.ask("list files")
    assert serving.http("GET", "/stats")[1] == json.loads(serving.home.run("stats", "--json").stdout)
    assert serving.http("GET", "/adapters")[1] == json.loads(serving.home.run("adapters", "list", "--json").stdout)


def test_a_rating_is_taken_as_the_command_takes_it(serving: Serving) -> None:
    id = serving.home.ask("how do i show free disk space")["id"]
    body = {"id": id, "rating": "critical", "note": "human units", "answer": "df -h"}
    status, said, _ = serving.http("POST", "/feedback", body)
    assert (status, said["weight"], said["is_learnt"]) == (200, 10.0, True)
    with serving.home.journal() as journal:
        assert [(kept.completion[0].content, kept.weight) for kept in journal.examples.live()] == [("df -h", 10.0)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"rating": "splendid"}, "no rating"),
        ({"rating": "good", "id": "zzz"}, "has the id 'zzz'"),
        ({"rating": "good", "colour": "red"}, "'colour' is unknown"),
        ([1], "to be a JSON object"),
        ({"note": 1}, "no object of texts"),
        (b'{"id":' + b"[" * 200_000, "no JSON"),
        ({"id": "\ud800"}, "no JSON"),
        (b"{", "no JSON"),
    ],
)
def test_what_is_no_rating_is_answered_with_what_is(serving: Serving, body: object, words: str) -> None:
    status, said, _ = serving.http("POST", "/feedback", body)
    assert status == 400
    assert words in said["error"]["message"]


def test_a_training_without_anything_to_learn_is_refused(tmp_path: Path) -> None:
    with Serving(Home.used(tmp_path, QUIET)) as serving:
        status, said, _ = serving.http("POST", "/train", {})
    assert status == 409
    assert "nothing to learn yet" in said["error"]["message"]


def test_the_metrics_count_answers(serving: Serving) -> None:
    serving.home.ask("list files")
    status, text, _ = serving.http("GET", "/metrics")
    assert status == 200
    assert 'shammah_answers_total{side="local",finish="stop"}' in text
    assert "shammah_ready 1\n" in text
    status, said, _ = serving.http("GET", "/nowhere/at/all")
    assert (status, said["error"]["type"]) == (404, "not_found_error")
    assert 'shammah_requests_total{path="other",status="404"}' in serving.http("GET", "/metrics")[1]


def test_no_answer_opens_the_door_to_pages(serving: Serving) -> None:
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for status, _, headers in (serving.http("OPTIONS", "/stats", headers=preflight), serving.http("GET", "/stats")):
        assert not [name for name in headers if name.lower().startswith("access-control")]
        assert status in (200, 403)


@pytest.mark.parametrize("size", [2**20 + 1, 6 * 2**20])
def test_a_large_body_is_refused_so_that_its_sender_hears_it(serving: Serving, size: int) -> None:
    assert serving.http("POST", "/feedback", b" " * size)[0] == 413


def test_the_commands_routes_are_not_at_the_port(serving: Serving) -> None:
    assert serving.http("GET", "/private/status")[0] == 404
    assert serving.http("POST", "/private/stop", {})[0] == 404


def test_whoever_sends_no_whole_head_is_hung_up_on(serving: Serving) -> None:
    with opened(serving) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        assert slow.recv(100) == b""


def test_where_as_many_as_may_are_being_answered_one_more_is_refused_and_later_ones_are_not(serving: Serving) -> None:
    held = [answered(serving) for _ in range(MOST)]
    try:
        status, said, headers = serving.http("GET", "/stats")
        assert (status, said["error"]["type"], headers["retry-after"]) == (503, "overloaded_error", "1")
        assert serving.http("GET", "/health")[0] == 200, "how it is may always be asked"
    finally:
        for each in held:
            each.close()
    deadline = time.monotonic() + 10
    while serving.http("GET", "/stats")[0] != 200:
        assert time.monotonic() < deadline


def test_whoever_says_nothing_makes_room_for_others(serving: Serving) -> None:
    held = [opened(serving) for _ in range(3 * MOST)]
    assert serving.http("GET", "/health")[0] == 200
    assert held[0].recv(12) in (b"HTTP/1.1 503", b""), "the latter where it was silent for too long"
    for each in held:
        each.close()


def test_a_connection_that_was_used_and_rests_makes_room_too(serving: Serving) -> None:
    address = urlsplit(serving.house.url)
    kept = [http.client.HTTPConnection(address.hostname or "", address.port, timeout=10) for _ in range(MOST)]
    for one in kept:
        one.request("GET", "/health")
        assert one.getresponse().read() == b'{"status":"ok"}'
    assert serving.http("GET", "/health")[0] == 200
    for one in kept:
        one.close()


def test_a_connection_is_kept_for_the_next_request(serving: Serving) -> None:
    address = urlsplit(serving.house.url)
    kept = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    for _ in range(2):
        kept.request("GET", "/health")
        assert kept.getresponse().read() == b'{"status":"ok"}'
    kept.close()


def answered(serving: Serving) -> socket.socket:
    """A connection whose request is let in; its body does not come."""
    made = opened(serving)
    head = f"POST /feedback HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token_of(serving.home.path)}\r\n"
    more = "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    made.sendall(f"{head}{more}".encode())
    assert made.recv(12) == b"HTTP/1.1 100"
    return made


def opened(serving: Serving) -> socket.socket:
    address = urlsplit(serving.house.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=10)


def test_a_second_daemon_of_a_home_is_refused(serving: Serving) -> None:
    with pytest.raises(ServeError, match="serves this home already"), Serving(serving.home):
        pass


def test_a_port_that_is_taken_is_said(serving: Serving, tmp_path: Path) -> None:
    port = urlsplit(serving.house.url).port
    taken = Serving(Home.used(tmp_path, QUIET), serve__port=port)
    with pytest.raises(ServeError, match=f"port {port} of 127.0.0.1 cannot be opened"), taken:
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "shammah.lan"])
def test_an_address_that_others_reach_takes_a_token(tmp_path: Path, host: str) -> None:
    settings = config.load({config.HOME_VARIABLE: str(tmp_path)}, serve__host=host, serve__any_key=True)
    with pytest.raises(ConfigError, match="lets in whoever comes"):
        doors.check(settings)
    doors.check(config.load({config.HOME_VARIABLE: str(tmp_path)}, serve__host=host))
    doors.check(config.load({config.HOME_VARIABLE: str(tmp_path)}, serve__any_key=True))


def test_a_token_that_found_no_room_is_not_in_the_way_of_the_next_one(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # stands for a full disk
    try:
        with pytest.raises(ServeError, match="cannot be used"):
            token_of(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(token_of(tmp_path)) == 43


def test_a_token_that_others_could_read_is_made_the_users_own(tmp_path: Path) -> None:
    token = token_of(tmp_path)
    (tmp_path / TOKEN).chmod(0o644)
    assert token_of(tmp_path) == token
    assert (tmp_path / TOKEN).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("host", "hint"),
    [("no-such-host.invalid", "--host"), ("x" * 70, "--host"), ("192.0.2.1", "--host"), ("", "--port")],
)
def test_an_address_that_cannot_be_opened_is_told_from_a_port_that_is_taken(
    tmp_path: Path, host: str, hint: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = config.load({"SHAMMAH_HOME": str(tmp_path)}, serve__host=host or "127.0.0.1", serve__port=port)
        with pytest.raises(ServeError) as refused, doors.public_socket(settings):
            pass
    assert hint in refused.value.hint
