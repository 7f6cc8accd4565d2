"""What goes to a model's server on another machine: what may go to the teacher, and with secrets replaced."""

from pathlib import Path

import pytest

from shammah.bases import SEEDLING
from shammah.compatible import cards, looking, opening
from shammah.compatible.gate import Gate
from shammah.compatible.identity import Identity
from shammah.compatible.loras import Shelf
from shammah.compatible.model import ServerModel
from shammah.compatible.watch import Watch
from shammah.errors import BadGrammar, BadModel, ConfigError, NotServed, StaysHere
from shammah.generation import Finish, Sampling, collect
from shammah.patterns import Patterns
from shammah.records.bases import Base
from shammah.settings import ModelSettings, Settings
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Stall
from tests.openai_server import openai_server

KEY = "sk-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z"
SECRET = [Message("user", f"My key is {KEY}. Say it again.")]
AWAY = Gate(is_away=True)


def model_at(server: AnthropicServer, gate: Gate, kind: looking.Kind = "other") -> ServerModel:
    endpoint = cards.endpoint(f"{server.url}/v1", False, {})
    found = looking.Server(endpoint, Identity("qwen"), kind, 4096, ("qwen",))
    shelf = Shelf(Path("unused"), lambda files, folder: None)
    return ServerModel(found, gate, 4096, shelf, Watch(lambda: found))


def test_another_machine_reads_placeholders_and_its_answer_has_the_secret_back() -> None:
    with openai_server(Answer("Your key is <SECRET_1>.", chunks=5)) as server:
        said = collect(model_at(server, AWAY).stream(SECRET, Sampling(50)))
        [request] = server.requests
    assert said.text == f"Your key is {KEY}."
    assert KEY not in str(request.body)


def test_a_server_on_this_machine_reads_what_was_typed() -> None:
    with openai_server(Answer("ok")) as server:
        collect(model_at(server, Gate(is_away=False, is_offline=True)).stream(SECRET, Sampling(50)))
        [request] = server.requests
    assert KEY in str(request.body)


@pytest.mark.parametrize(
    "gate", [Gate(True, is_offline=True), Gate(True, stays_here=Patterns.read(["say it again"], "a test"))]
)
def test_what_stays_here_goes_to_no_other_machine_not_even_to_be_counted(gate: Gate) -> None:
    with openai_server(Answer("ok")) as server:
        model = model_at(server, gate, "vllm")
        with pytest.raises(StaysHere):
            list(model.stream(SECRET, Sampling(50)))
        with pytest.raises(StaysHere):
            model.count_tokens(SECRET)
        assert not server.requests


def test_a_grammar_goes_to_those_who_take_one_in_their_own_words() -> None:
    with openai_server(Answer("{}")) as server:
        kinds: tuple[looking.Kind, ...] = ("llama.cpp", "vllm")
        for kind in kinds:
            collect(model_at(server, AWAY, kind).stream(SECRET, Sampling(5, grammar='root ::= "{}"')))
        with pytest.raises(BadGrammar):
            list(model_at(server, AWAY).stream(SECRET, Sampling(5, grammar='root ::= "{}"')))
        llama, vllm = (row.body for row in server.requests if row.path == "/v1/chat/completions")
    assert llama["grammar"] == vllm["structured_outputs"]["grammar"] == 'root ::= "{}"'


def test_a_secret_in_a_grammar_stays_here_too() -> None:
    with openai_server(Answer("<SECRET_1>")) as server:
        wanted = Sampling(50, grammar=f'root ::= "{KEY}"')
        said = collect(model_at(server, AWAY, "llama.cpp").stream([Message("user", "hello")], wanted))
        assert KEY not in str([row.body for row in server.requests])
    assert said.text == KEY


def test_no_proxy_reads_what_goes_to_a_server_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with openai_server(Answer("wrong")) as proxy, openai_server(Answer("right")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert collect(model_at(server, Gate(is_away=False)).stream(SECRET, Sampling(50))).text == "right"
        assert not proxy.requests


def test_a_server_that_writes_on_and_on_is_ended_where_it_was_to_end() -> None:
    with openai_server(Answer("a " * 200, chunks=200)) as server:
        done = collect(model_at(server, AWAY).stream(SECRET, Sampling(20)))
    assert done.end.finish is Finish.LENGTH
    assert len(done.text.split()) < 50


def test_thinking_is_left_out() -> None:
    with openai_server(Answer("<think>well</think>ls", chunks=7)) as server:
        assert collect(model_at(server, AWAY).stream(SECRET, Sampling(50))).text == "ls"


def test_nobody_waits_for_a_server_once_the_answer_is_stopped() -> None:
    with openai_server(Stall("ls")) as server:
        heard: list[str] = []
        chunks = model_at(server, AWAY).stream(SECRET, Sampling(50), stop=lambda: bool(heard))
        done = collect(chunks, heard.append)
    assert (done.text, done.end.finish) == ("ls", Finish.INTERRUPTED)


def test_another_machine_is_not_asked_offline() -> None:
    with pytest.raises(StaysHere, match="another machine"):
        cards.endpoint("https://models.example/v1", True, {})
    assert cards.endpoint("http://127.0.0.1:8080/v1/", True, {}).url == "http://127.0.0.1:8080/v1"


def test_a_key_that_no_header_can_hold_is_named() -> None:
    with pytest.raises(ConfigError, match=cards.KEY_VARIABLE):
        cards.endpoint("https://models.example/v1", False, {cards.KEY_VARIABLE: "schl\u00fcssel"})


def test_a_card_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / f"x{cards.SUFFIX}"
    path.write_text("{}")
    with pytest.raises(BadModel, match="no card"):
        cards.read(path)


def test_a_file_runs_at_the_server_only_as_long_as_it_is_the_chosen_one(tmp_path: Path) -> None:
    base = Base("f" * 64, str(SEEDLING), 1, 0, 0, "seedling", "qwen2")
    url = "https://models.example/v1"
    chosen = Settings(tmp_path, model=ModelSettings(path=str(SEEDLING), server=url))
    other = Settings(tmp_path, model=ModelSettings(path="/m/other.gguf", server=url))
    assert opening.server_of(base, chosen) == url
    assert opening.server_of(base, other) == ""
    named = Settings(tmp_path, model=ModelSettings(path="seedling", server=url))
    assert opening.server_of(base, named) == url
    assert opening.is_away(url)
    assert not opening.is_away("http://127.0.0.1:8080/v1")


def test_a_model_of_a_server_that_was_left_is_asked_no_more(tmp_path: Path) -> None:
    path = tmp_path / f"x{cards.SUFFIX}"
    cards.write(path, cards.Card("http://127.0.0.1:1/v1", Identity("qwen")))
    base = Base("f" * 64, str(path), 1, 0, 0, "qwen", "served")
    stays = Settings(tmp_path, model=ModelSettings(server="http://127.0.0.1:1/v1/"))
    assert opening.server_of(base, stays) == "http://127.0.0.1:1/v1"
    with pytest.raises(NotServed, match="not asked any more"):
        opening.server_of(base, Settings(tmp_path))
