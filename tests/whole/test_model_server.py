"""A model that a server runs in the local one's place: real processes, asked by the command line."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench.batching import free_port
from shammah import bases, config
from shammah.adapters import hash_of
from shammah.compatible import opening
from shammah.generation import Sampling, collect
from shammah.local import LocalModel
from shammah.records.bases import Base
from shammah.serve.token import token_of
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.model_server import NAME, ModelServer
from tests.serving import Serving
from tests.whole.command import Home
from tests.whole.test_adapters import write

QUESTION = "how do i undo the last commit but keep the changes"
LOCAL = ("--local", "--max-tokens", "12", QUESTION)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def at(home: Home, url: str, **more: str) -> Home:
    """The home, with its model at a server."""
    return replace(home, variables=home.variables | {"SHAMMAH_MODEL_SERVER": url} | more)


def here(*adapters: AdapterFile) -> str:
    """What the same model says when it is opened here."""
    with LocalModel(bases.SEEDLING) as model:
        model.apply(adapters)
        return collect(model.stream([Message("user", QUESTION)], Sampling(12))).text


@contextmanager
def llama_cpp_server() -> Iterator[str]:
    """llama-cpp-python's own server, a program of others."""
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--model", os.fspath(bases.SEEDLING), "--n_ctx", "1024"]
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        [*command, "--port", str(port), "--chat_format", "chatml"], stdout=silent, stderr=silent
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/v1/models")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def wait_for(url: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


def adapters(folder: Path, *names: str) -> list[AdapterFile]:
    """Random adapters for the seedling."""
    paths = [write(folder / f"{name}.gguf", hash_of(bases.SEEDLING), seed) for seed, name in enumerate(names)]
    return [AdapterFile(path.stem, str(path), hash_of(path)) for path in paths]


def keep(home: Home, files: list[AdapterFile]) -> list[AdapterFile]:
    """The same adapters, taken into a home."""
    for file in files:
        done = home.run("adapters", "load", file.path)
        assert done.returncode == 0, done.stderr
    with home.journal() as journal:
        kept = {adapter.name: adapter for adapter in journal.adapters.all()}
    return [AdapterFile(file.name, kept[file.name].path, file.sha256) for file in files]


def test_a_program_of_others_answers_as_the_model_does_here(home: Home) -> None:
    with llama_cpp_server() as url:
        outcome = at(home, url).ask(*LOCAL)
    assert outcome["answer"] == here()
    assert (outcome["route"], outcome["adapters"]) == ("local", [])
    assert outcome["completion_tokens"] == 12


def test_a_daemon_of_ours_answers_another_machines_questions(home: Home, tmp_path: Path) -> None:
    served = Home.used(tmp_path / "served")
    with Serving(served) as serving:
        key = token_of(served.path)
        there = at(home, f"{serving.house.url}/v1", SHAMMAH_MODEL_SERVED_AS="shammah:local", MODEL_SERVER_API_KEY=key)
        outcome = there.ask(*LOCAL)
    assert (outcome["answer"], outcome["model"]) == (here(), "shammah:local")


@pytest.mark.parametrize("kind", ["plain", "llama.cpp", "vllm"])
def test_a_served_model_is_known_by_the_name_that_its_server_gives_it(home: Home, kind: str) -> None:
    with ModelServer(kind) as server:
        outcome = at(home, server.url).ask(*LOCAL)
    assert (outcome["answer"], outcome["model"]) == (here(), NAME)
    with home.journal() as journal:
        base = journal.bases.find(journal.recent(1)[0].lineage)
    assert base is not None
    assert (base.name, base.architecture) == (NAME, "served")


def test_the_validator_sees_the_tokens_of_a_served_model(home: Home) -> None:
    with ModelServer("vllm") as server:
        at(home, server.url).ask(*LOCAL)
    with home.journal() as journal:
        [answer] = journal.answers(journal.recent(1)[0])
    assert answer.features is not None
    assert "logprobs" in next(row["body"] for row in server.requests if row["path"] == "/v1/chat/completions")


def test_an_adapter_is_loaded_into_vllm_while_it_runs(home: Home, tmp_path: Path) -> None:
    [mine] = keep(home, adapters(tmp_path, "mine"))
    assert home.run("adapters", "use", "mine").returncode == 0
    with ModelServer("vllm") as server:
        there = at(home, server.url, SHAMMAH_MODEL_PATH=str(bases.SEEDLING))
        first, second = there.ask(*LOCAL), there.ask(*LOCAL)
    assert first["answer"] == second["answer"] == here(mine) != here()
    assert first["adapters"] == [{"name": "mine", "scale": 1.0}]
    assert [row["path"] for row in server.requests].count("/v1/load_lora_adapter") == 1


def test_a_vllm_that_was_started_anew_is_given_its_adapters_again(home: Home, tmp_path: Path) -> None:
    [mine] = adapters(tmp_path, "mine")
    with ModelServer("vllm") as server:
        variables = {"SHAMMAH_MODEL_SERVER": server.url, "SHAMMAH_MODEL_PATH": str(bases.SEEDLING)}
        settings = config.load({"SHAMMAH_HOME": str(home.path)} | variables)
        base = Base(hash_of(bases.SEEDLING), str(bases.SEEDLING), 1, 0, 0, "seedling", "qwen2")
        model = opening.open_served(opening.Place(base, server.url, settings, {}), 8192)
        model.apply([mine])
        first = collect(model.stream([Message("user", QUESTION)], Sampling(12)))
        server.change(loaded={})
        second = collect(model.stream([Message("user", QUESTION)], Sampling(12)))
    assert first.text == second.text == here(mine)


def test_several_adapters_are_one_for_vllm_each_at_its_scale(home: Home, tmp_path: Path) -> None:
    mine, other = keep(home, adapters(tmp_path, "mine", "other"))
    assert home.run("adapters", "use", "mine:0.5", "other:0.25").returncode == 0
    with ModelServer("vllm") as server:
        outcome = at(home, server.url, SHAMMAH_MODEL_PATH=str(bases.SEEDLING)).ask(*LOCAL)
    assert outcome["answer"] == here(replace(mine, scale=0.5), replace(other, scale=0.25))


def test_llama_server_applies_what_it_was_started_with_by_the_question(home: Home, tmp_path: Path) -> None:
    mine, other = keep(home, adapters(tmp_path, "mine", "other"))
    assert home.run("adapters", "use", "other:0.5").returncode == 0
    with ModelServer("llama.cpp", [Path(mine.path), Path(other.path)]) as server:
        outcome = at(home, server.url, SHAMMAH_MODEL_PATH=str(bases.SEEDLING)).ask(*LOCAL)
    assert outcome["answer"] == here(replace(other, scale=0.5))


def test_an_adapter_that_a_server_cannot_apply_is_named_and_the_model_answers_without_it(
    home: Home, tmp_path: Path
) -> None:
    [mine] = keep(home, adapters(tmp_path, "mine"))
    assert home.run("adapters", "use", "mine").returncode == 0
    with ModelServer("llama.cpp") as server:
        done = at(home, server.url, SHAMMAH_MODEL_PATH=str(bases.SEEDLING)).run("ask", *LOCAL)
    assert done.stdout.strip() == here()
    assert f"--lora-init-without-apply --lora {mine.path}" in done.stderr


def test_a_question_that_is_too_long_is_refused_before_it_is_cut(home: Home) -> None:
    with ModelServer("vllm") as server:
        done = at(home, server.url).run("ask", "--local", "long " * 2000)
    assert done.returncode != 0
    assert "context holds 1,024" in done.stderr or "longer than the local model's context" in done.stderr
    assert not any(row["path"] == "/v1/chat/completions" for row in server.requests)


def test_an_answer_is_asked_for_no_longer_than_there_is_room(home: Home) -> None:
    with ModelServer("vllm") as server:
        assert at(home, server.url).ask("--local", "--max-tokens", "4000", QUESTION)["route"] == "local"


def test_a_server_that_counts_no_tokens_refuses_for_itself(home: Home) -> None:
    with ModelServer("plain") as server:
        done = at(home, server.url).run("ask", "--local", "--max-tokens", "12", "a b c d " * 400)
    assert done.returncode != 0
    assert "maximum context length" in done.stderr


def test_when_the_server_is_gone_the_teacher_answers_where_it_may(home: Home) -> None:
    with ModelServer("plain") as server:
        at(home, server.url).ask(*LOCAL)
    with AnthropicServer([Answer("git reset")]) as claude:
        there = at(home, server.url, ANTHROPIC_API_KEY="sk-ant-x", ANTHROPIC_BASE_URL=claude.url)
        gone = there.run("ask", *LOCAL)
        outcome = there.ask(QUESTION)
    assert gone.returncode != 0
    assert "cannot be reached" in gone.stderr
    assert "model.server" in gone.stderr
    assert outcome["route"] == "teacher"


def test_a_wrong_key_is_named(home: Home) -> None:
    with ModelServer("plain", key="right") as server:
        done = at(home, server.url, MODEL_SERVER_API_KEY="wrong").run("ask", *LOCAL)
        assert at(home, server.url, MODEL_SERVER_API_KEY="right").ask(*LOCAL)["answer"] == here()
    assert done.returncode != 0
    assert "MODEL_SERVER_API_KEY" in done.stderr


def test_a_server_that_runs_another_model_by_now_is_noticed(home: Home) -> None:
    with ModelServer("plain") as server:
        at(home, server.url).ask(*LOCAL)
        [card] = (home.path / "servers").iterdir()
        card.write_text(json.dumps({"server": server.url, "model": "the-one-before"}))
        done = at(home, server.url).run("ask", *LOCAL)
        assert at(home, server.url).ask(*LOCAL)["model"] == NAME
    assert done.returncode != 0
    assert f"runs {NAME} now, in the place of the-one-before" in done.stderr


def test_a_file_that_the_server_cannot_be_running_is_refused(home: Home) -> None:
    with ModelServer("llama.cpp") as server:
        server.change(source="/models/qwen.gguf", meta={"n_params": 494_032_768})
        there = at(home, server.url, SHAMMAH_MODEL_PATH=str(bases.SEEDLING))
        done, looked = there.run("ask", *LOCAL), there.run("doctor")
    assert done.returncode != 0
    assert "runs seedling-served from /models/qwen.gguf, which is not" in done.stderr
    assert "shammah config unset model.path" in done.stderr
    assert "it has 494,032,768 parameters" in " ".join(looked.stdout.split())
    assert not any(row["path"] == "/v1/chat/completions" for row in server.requests)


def test_a_model_without_a_file_here_is_not_trained(home: Home) -> None:
    with ModelServer("plain") as server:
        there = at(home, server.url)
        there.ask(*LOCAL)
        assert there.run("feedback", "critical", "wrong", "--answer", "git reset --soft HEAD~1").returncode == 0
        done = there.run("train")
    assert done.returncode != 0
    assert "model.path" in done.stderr


@pytest.mark.parametrize("url", ["http://example.com/v1", "nonsense", "ftp://127.0.0.1/v1"])
def test_an_address_that_would_carry_a_prompt_in_the_clear_is_refused(home: Home, url: str) -> None:
    done = at(home, url).run("ask", *LOCAL)
    assert done.returncode != 0
    assert "It takes an https URL, or http on loopback." in done.stderr


def test_a_daemon_passes_on_what_a_server_says(home: Home) -> None:
    with ModelServer("vllm") as server, Serving(at(home, server.url)) as serving:
        body = {"model": "shammah:local", "max_tokens": 12, "messages": [{"role": "user", "content": QUESTION}]}
        status, reply, _ = serving.http("POST", "/v1/chat/completions", body)
        by_command = at(home, server.url).ask(*LOCAL)
    assert status == 200
    assert reply["choices"][0]["message"]["content"] == by_command["answer"] == here()
    assert reply["shammah"]["model"] == NAME


def test_a_model_is_chosen_by_its_servers_url_and_left_by_its_name(home: Home) -> None:
    with ModelServer("plain") as server:
        used = home.run("models", "use", server.url)
        asked = home.ask(*LOCAL)
        looked = home.run("doctor")
        shown = home.run("models", "show")
        left = home.run("models", "use", "seedling")
    assert (used.returncode, left.returncode) == (0, 0), used.stderr + left.stderr
    assert asked["model"] == NAME
    assert f"{server.url} runs {NAME}; it applies no adapters" in " ".join(looked.stdout.split())
    assert f"name     {NAME}" in shown.stdout
    assert home.ask(*LOCAL)["model"] != NAME


def test_doctor_names_a_server_that_is_gone(home: Home) -> None:
    with ModelServer("plain") as server:
        url = server.url
    done = at(home, url).run("doctor")
    said = " ".join(done.stdout.split())
    assert "cannot be reached" in said
    assert "unset SHAMMAH_MODEL_SERVER" in said


def test_a_file_that_is_named_for_once_is_opened_here(home: Home) -> None:
    with ModelServer("plain") as server:
        outcome = at(home, server.url).ask("--model", str(bases.SEEDLING), *LOCAL)
    assert outcome["answer"] == here()
    assert not server.requests
