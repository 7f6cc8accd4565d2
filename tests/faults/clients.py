"""Clients of a daemon that go on until it is gone, and what it has acknowledged to them by then."""

import contextlib
import http.client
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from shammah import config
from shammah.asked import Asked
from shammah.journal import Journal
from shammah.serve import client
from shammah.serve.call import Call
from shammah.serve.place import socket_of
from shammah.serve.token import token_of
from tests.whole.command import Home

CHAT, FEEDBACK = "/v1/chat/completions", "/feedback"
RECEIVE = "/v1/tools/generate_training_data"
LONGEST_SECONDS = 60.0


@dataclass
class Heard:
    """What was acknowledged.

    Attributes:
        answers: Their texts, by the ids of the questions.
        better: The answers that ratings gave, by the same ids.
        received: Questions of examples from outside.
        failed: What else was said.
    """

    answers: dict[str, str] = field(default_factory=dict)
    better: dict[str, str] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.answers) + len(self.better) + len(self.received)

    def check(self, journal: Journal) -> None:
        """See that all of it is kept."""
        assert not self.failed, self.failed[0]
        for id, text in self.answers.items():
            question = journal.question(id)
            assert question is not None, f"question {id} is lost"
            shown = journal.shown(question)
            assert shown is not None, f"the answer to {id} is lost"
            assert shown.text == text.strip(), f"{shown.text!r} is kept, {text!r} was said"
            if id in self.better:
                kept = journal.examples.of_answer(shown.id)
                assert kept is not None, f"the rating of {id} is lost"
                assert [message.content for message in kept.example.completion] == [self.better[id]]
        lost = set(self.received) - set(journal.quarantine.questions())
        assert not lost, f"examples are lost: {lost}"


@dataclass(frozen=True)
class _Client:
    """One that asks over and over, each time something else."""

    name: str
    home: Home
    url: str
    heard: Heard

    def chat(self, text: str) -> None:
        """Ask at the port, for a whole answer, and rate it."""
        said = self._posted(CHAT, {"model": "shammah:local", **_user(text)})
        id = said["shammah"]["id"]
        self.heard.answers[id] = said["choices"][0]["message"]["content"] or ""
        better = f"{text}: better"
        self._posted(FEEDBACK, {"id": id, "rating": "critical", "answer": better})
        self.heard.better[id] = better

    def stream(self, text: str) -> None:
        """Ask whoever should answer, for a stream."""
        body = {"model": "shammah", "stream": True, **_user(text)}
        said, id = "", ""
        with self._response(CHAT, body) as response:
            for event in _events(response):
                said += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
                id = event.get("shammah", {}).get("id", id)
        if not id:
            raise client.Lost("the stream ended before the answer did")
        self.heard.answers[id] = said

    def ask(self, text: str) -> None:
        """Ask at the socket, as a command does."""
        environ = self.home.environment()
        asked = Asked(text, f"none:{self.name}", forced="local")
        call = Call.here(asked, config.load(environ), False, False, environ)
        told: list[dict[str, Any]] = []
        for line in client.lines(socket_of(self.home.path), "/private/ask", call.as_row()):
            event = json.loads(line or "{}")
            assert "error" not in event, event
            assert "declined" not in event, event
            told += [event["told"]] if "told" in event else []
        if not told:
            raise client.Lost("it ended before the answer did")
        outcome = told[0]["outcome"]
        self.heard.answers[outcome["id"]] = outcome["answer"]

    def hand_in(self, text: str) -> None:
        """Hand in an example."""
        self._posted(RECEIVE, {"category": "code", "pairs": [{"question": text, "answer": "it is handed in"}]})
        self.heard.received.append(text)

    def _posted(self, path: str, body: object) -> Any:
        with self._response(path, body) as response:
            return json.loads(response.read())

    @contextlib.contextmanager
    def _response(self, path: str, body: object) -> Iterator[http.client.HTTPResponse]:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LONGEST_SECONDS)
        head = {"Authorization": f"Bearer {token_of(self.home.path)}", "Content-Type": "application/json"}
        try:
            connection.request("POST", path, json.dumps(body), head)
            response = connection.getresponse()
            assert response.status == 200, f"{path}: {response.status} {response.read()!r}"
            yield response
        finally:
            connection.close()


def _user(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 12}


def _events(response: http.client.HTTPResponse) -> Iterator[Any]:
    """The events of a stream, as far as it comes."""
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


WAYS: tuple[Callable[[_Client, str], None], ...] = (_Client.chat, _Client.stream, _Client.ask, _Client.hand_in)


@contextlib.contextmanager
def asking(home: Home, url: str) -> Iterator[Heard]:
    """Let a client of each kind ask until the daemon is gone, which is to be by the end of this."""
    heard = Heard()
    threads = [
        threading.Thread(target=_go_on, args=(way, _Client(way.__name__, home, url, heard)), name=way.__name__)
        for way in WAYS
    ]
    for thread in threads:
        thread.start()
    try:
        yield heard
    finally:
        for thread in threads:
            thread.join()


def _go_on(way: Callable[[_Client, str], None], client_of: _Client) -> None:
    """Ask until nobody answers any more; anything else that goes wrong is kept for whoever checks."""
    for number in itertools.count():
        try:
            way(client_of, f"how do i {client_of.name} {os.urandom(4).hex()} for the {number}. time")
        except (OSError, http.client.HTTPException, client.NoAnswer):
            return
        except Exception as error:
            client_of.heard.failed.append(f"{client_of.name}: {error!r}")
            return
