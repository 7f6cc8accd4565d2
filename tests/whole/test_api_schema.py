"""What the daemon serves is what its own document says, as schemathesis finds; and its documentation's snippets run."""

import contextlib
import io
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shammah.serve.openapi import document
from shammah.serve.routes import table
from shammah.serve.token import token_of
from tests.serving import Serving
from tests.whole.command import Home

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
API = schemathesis.openapi.from_dict(document())
OPERATIONS = {found.ok().label: found.ok() for found in API.get_all_operations() if isinstance(found, Ok)}
DOC = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
SNIPPETS = re.findall(r"<!-- run -->\n```(\w+)\n(.*?)```", DOC, re.DOTALL)
ADDRESS = "http://127.0.0.1:11435"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = Home.used(tmp_path_factory.mktemp("user") / ".shammah")
    with Serving(home, worker__enabled=False, trainer__automatic=False) as serving:
        yield serving


def test_the_document_is_served(serving: Serving) -> None:
    status, served, _ = serving.http("GET", "/openapi.json")
    assert (status, served) == (200, document())


def test_every_route_is_in_the_document(serving: Serving) -> None:
    paths = {route.path.replace(":path", "") for route in table(serving.house)}
    assert paths - {"/openapi.json"} == set(document()["paths"])


@pytest.fixture(scope="module")
def session(serving: Serving) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token_of(serving.home.path)}"
        yield session


@pytest.mark.parametrize("label", sorted(set(OPERATIONS) - {"POST /train"}))
def test_answers_are_as_the_document_says(serving: Serving, session: requests.Session, label: str) -> None:
    # This home has no embedder: the document says 503 of that.
    checks = [check for check in CHECKS if check is not not_a_server_error or "embeddings" not in label]

    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy())
    def check(case: Any) -> None:
        if isinstance(case.body, dict) and "model" in case.body:  # a name that nobody has is refused early
            case.body["model"] = "shammah:local"
            bounds = {"max_tokens", "max_completion_tokens"} & case.body.keys() or {"max_tokens"}
            if "count_tokens" not in label and "embeddings" not in label:
                case.body |= dict.fromkeys(bounds, 4)
        response = case.call(base_url=serving.house.url, session=session)
        case.validate_response(response, checks=checks)

    check()


@pytest.mark.parametrize(("language", "snippet"), SNIPPETS, ids=[f"{kind}{n}" for n, (kind, _) in enumerate(SNIPPETS)])
def test_the_snippets_run(serving: Serving, language: str, snippet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(serving.home.path.parent))
    text, said = snippet.replace(ADDRESS, serving.house.url), io.StringIO()
    if language == "sh":
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=60, check=True)
        said.write(done.stdout)
    else:
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(said):
            exec(compile(text, "docs/api.md", "exec"), names)
        names["client"].close()
    assert "ls -a" in said.getvalue().lower() or "httpx.post" in text
