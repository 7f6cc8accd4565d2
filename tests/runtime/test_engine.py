"""The model in a process of its own: it answers as it would here, and its death costs nobody more than an answer."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from shammah import bases, embedding
from shammah.errors import (
    AdapterChanged,
    BadGrammar,
    BadModel,
    ContextTooLong,
    EngineBusy,
    EngineDied,
    EngineError,
    EngineRefuses,
    ModelMissing,
    ShammahError,
)
from shammah.generation import Chunk, End, Finish, Sampling, collect
from shammah.local import Embedder, LocalModel
from shammah.records.bases import Base
from shammah.serve.bound import Kept
from shammah.serve.remote import Engine
from shammah.serve.wire import Setup, event_of, said_of
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile
from tests.lora_files import Folder, new_folder
from tests.tiny import write_killer, write_tiny

QUESTION = [Message("user", "how do i undo the last commit but keep the changes")]
SECONDS = 20.0


def asked(text: str) -> list[Message]:
    return [Message("user", text)]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(Setup(str(bases.SEEDLING), threads=1)) as engine:
        yield engine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return new_folder(tmp_path_factory.mktemp("adapters"))


@pytest.fixture
def tiny(folder: Folder) -> Iterator[Engine]:
    with Engine(Setup(str(folder.path / "base.gguf"), threads=1, rows=4)) as engine:
        yield engine


@pytest.mark.parametrize(
    "said",
    [
        Chunk("a\u2028\ud800", -0.5),
        Chunk("rest", end=End(Finish.LENGTH, 5, 6, adapters=(("a", 0.5),))),
        ContextTooLong("too long"),
        EngineBusy("full", retry_after_seconds=7),
        BadModel("broken", hint="mend it"),
    ],
)
def test_what_is_said_arrives_as_it_was_said(said: Chunk | ShammahError) -> None:
    heard = said_of(event_of(3, said))
    if isinstance(said, Chunk):
        assert heard == said
    else:
        assert (type(heard), str(heard), vars(heard)) == (type(said), str(said), {"hint": said.hint} | vars(said))


def test_an_answer_is_the_one_that_the_model_gives_here(engine: Engine) -> None:
    with LocalModel(bases.SEEDLING) as here:
        wanted = collect(here.stream(QUESTION, Sampling(60)))
        assert engine.model.facts == here.facts
        assert engine.model.prompt_tokens(QUESTION) == here.prompt_tokens(QUESTION)
    model = engine.model
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: collect(model.stream(QUESTION, Sampling(60))), range(12)))
    assert {(done.text, done.end) for done in found} == {(wanted.text, wanted.end)}
    assert engine.starts == 1


def test_errors_keep_their_names(engine: Engine) -> None:
    with pytest.raises(ContextTooLong):
        engine.model.stream(asked("word " * 5000), Sampling(10))
    with pytest.raises(BadGrammar):
        engine.model.stream(QUESTION, Sampling(10, grammar="nonsense"))
    with pytest.raises(BadModel, match="no sentence embedder"):
        engine.embed("text")
    assert engine.starts == 1


def test_an_answer_obeys_its_schema_and_its_stop_texts(engine: Engine) -> None:
    assert collect(engine.model.stream(QUESTION, Sampling(20, schema={"enum": [42]}))).text == "42"
    done = collect(engine.model.stream(QUESTION, Sampling(60, stop=("reset",))))
    assert (done.text, done.end.finish) == ("git", Finish.STOP)


def test_an_embedding_is_the_one_that_is_made_here(tmp_path: Path) -> None:
    source = embedding.find_source()
    assert source is not None, "the tests' extra brings the weights"
    file = embedding.build(tmp_path, source)
    here = Embedder(file)
    with Engine(Setup(str(write_tiny(tmp_path / "tiny.gguf")), threads=1, embedder=str(file))) as engine:
        np.testing.assert_array_equal(engine.embed("list files"), here.embed("list files"))
    here.close()


def test_adapters_are_bound_to_a_view_and_checked(tiny: Engine, folder: Folder) -> None:
    bare, bound = tiny.model, tiny.model.bound_to([folder.file("a", 0.5)])
    with folder.open() as here:
        wanted = [collect(here.stream(asked("ls"), Sampling(20)))]
        here.apply([folder.file("a", 0.5)])
        wanted.append(collect(here.stream(asked("ls"), Sampling(20))))
    with ThreadPoolExecutor(8) as pool:
        models = [bare, bound] * 4
        found = list(pool.map(lambda model: collect(model.stream(asked("ls"), Sampling(20))), models))
    assert [(done.text, done.end) for done in found] == [(done.text, done.end) for done in wanted * 4]
    other = AdapterFile("a", folder.file("a").path, "00" * 32)
    with pytest.raises(AdapterChanged):
        collect(tiny.model.bound_to([other]).stream(asked("ls"), Sampling(20)))


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_when_it_dies_all_streams_are_told_and_the_next_request_is_answered(tiny: Engine, kind: signal.Signals) -> None:
    wanted = collect(tiny.model.stream(asked("ls"), Sampling(5))).text
    # More than there are rows: some wait in its queue.
    streams = [tiny.model.stream(asked("ls"), Sampling(900)) for _ in range(6)]
    next(streams[0])
    first = tiny.pid
    assert first is not None
    os.kill(first, kind)
    for stream in streams:
        with pytest.raises(EngineDied, match=kind.name):
            collect(stream)
    assert collect(tiny.model.stream(asked("ls"), Sampling(5))).text == wanted
    assert tiny.pid not in (None, first)


def test_another_one_is_ready_before_anybody_asks(tiny: Engine) -> None:
    tiny.start()
    assert tiny.pid is not None
    os.kill(tiny.pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    while (tiny.starts, tiny.pid is None) != (2, False):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_whoever_leaves_frees_the_row(tiny: Engine) -> None:
    for _ in range(12):  # three times the rows: they would take a minute to end by themselves
        stream = tiny.model.stream(asked("ls"), Sampling(900))
        next(stream)
        del stream
    assert collect(tiny.model.stream(asked("ls"), Sampling(1))).end.completion_tokens == 1


def test_a_file_that_kills_it_twice_is_refused_until_it_is_another(tmp_path: Path) -> None:
    file = write_killer(tmp_path / "tiny.gguf")
    with Engine(Setup(str(file), threads=1), log=tmp_path / "log") as engine:
        for _ in range(3):
            with pytest.raises(EngineRefuses, match=r"tiny\.gguf"):
                engine.start()
        assert engine.starts == 2
        assert "GGML_ASSERT" in (tmp_path / "log").read_text("utf-8", "replace")
        write_tiny(file)
        assert collect(engine.model.stream(asked("ls"), Sampling(2))).end.completion_tokens == 2


def test_a_file_that_it_cannot_open_is_named_each_time(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    with Engine(Setup(str(tmp_path / "bad.gguf"))) as engine, pytest.raises(BadModel, match="cannot load"):
        engine.start()
    with Engine(Setup(str(tmp_path / "none.gguf"))) as engine, pytest.raises(ModelMissing):
        engine.model.stream(QUESTION, Sampling(1))


def test_a_model_whose_file_was_replaced_meanwhile_is_not_asked(tiny: Engine) -> None:
    opened = Base("aa" * 32, "/models/a.gguf", 1, 1, 1, "a", "qwen2")
    assert Kept(tiny, opened).model(replace(opened, name="b")).applied == ()
    with pytest.raises(EngineError, match=r"/models/a\.gguf was replaced"):
        Kept(tiny, opened).model(replace(opened, sha256="bb" * 32))


def test_it_ends_with_whoever_started_it(tiny: Engine) -> None:
    stream = tiny.model.stream(asked("ls"), Sampling(900))
    process = tiny.link().process
    tiny.link()._wire.close()  # as the system does with the pipe of a process that is killed
    assert process.wait(SECONDS) == 0
    with pytest.raises(EngineDied):
        collect(stream)


def test_a_stopped_engine_stays_stopped(tiny: Engine) -> None:
    tiny.start()
    process = tiny.link().process
    tiny.stop()
    assert process.returncode == 0
    assert tiny.pid is None
    with pytest.raises(EngineDied, match="stopped"):
        tiny.model.stream(asked("ls"), Sampling(1))


def test_an_engine_whose_daemon_is_gone_before_it_began_ends_without_a_word() -> None:
    setup = json.dumps(asdict(Setup(str(bases.SEEDLING), threads=1))).encode() + b"\n"
    begun = []
    for first in (b"", setup):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [sys.executable, "-P", "-m", "shammah.serve.engine", str(theirs.fileno())]
            begun.append(subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE))
            ours.sendall(first)
    for engine in begun:
        said = engine.communicate(timeout=200)[1]
        assert (engine.returncode, said) == (0, b"")
