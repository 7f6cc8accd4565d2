"""Many answers at once are the answers that each would get alone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah import bases
from shammah.errors import (
    AdapterChanged,
    AdapterError,
    AdapterUnreadable,
    BadModel,
    ContextTooLong,
    EngineBusy,
    EngineDied,
)
from shammah.generation import Completion, Finish, Sampling, collect
from shammah.local import LocalModel
from shammah.local.batch import BatchedModel, Limits
from shammah.local.cells import Cells, Part
from shammah.local.weights import Weights
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile
from tests.lora_files import Folder, new_folder
from tests.tiny import write_tiny

# Sums of floats depend on how many rows are multiplied at once: so far apart the same logits may lie.
TOLERANCE = 2e-2
QUESTIONS = [
    "how do i undo the last commit but keep the changes",
    "list hidden files",
    "what is the capital of portugal",
    "which process listens on port 8080",
    "how do i read a json file in python",
    "find files larger than 1 GB",
    "rename a branch",
    "count the lines of a file",
    "show the disk usage of a folder",
    "reverse a list in python",
    "stop tracking a file in git",
    "who are you",
]


def asked(text: str, system: str = "") -> list[Message]:
    return [*([Message("system", system)] if system else []), Message("user", text)]


def at_once(answer: Callable[[str], Completion], questions: Sequence[str]) -> list[Completion]:
    with ThreadPoolExecutor(len(questions)) as pool:
        return list(pool.map(answer, questions))


@pytest.fixture(scope="module")
def seedling() -> Iterator[BatchedModel]:
    with BatchedModel(bases.SEEDLING, lambda: 1, limits=Limits(rows=5)) as model:
        yield model


@pytest.fixture(scope="module")
def alone() -> list[Completion]:
    with LocalModel(bases.SEEDLING) as model:
        return [collect(model.stream(asked(question), Sampling(60))) for question in QUESTIONS]


def test_many_at_once_get_the_texts_that_each_gets_alone(seedling: BatchedModel, alone: list[Completion]) -> None:
    found = at_once(lambda text: collect(seedling.stream(asked(text), Sampling(60))), QUESTIONS)
    assert [done.text for done in found] == [done.text for done in alone]
    assert [done.end for done in found] == [done.end for done in alone]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=TOLERANCE)


def test_they_share_steps(seedling: BatchedModel, alone: list[Completion]) -> None:
    before, _ = seedling.work
    at_once(lambda text: collect(seedling.stream(asked(text), Sampling(60))), QUESTIONS)
    after, _ = seedling.work
    assert after - before < 0.5 * sum(done.end.completion_tokens for done in alone)


def test_a_draw_is_the_one_that_its_seed_gives_alone(seedling: BatchedModel) -> None:
    sampling = Sampling(30, temperature=0.7, seed=5)
    with LocalModel(bases.SEEDLING) as model:
        wanted = [collect(model.stream(asked(question), sampling)).text for question in QUESTIONS[:4]]
    found = at_once(lambda text: collect(seedling.stream(asked(text), sampling)), QUESTIONS[:4])
    assert [done.text for done in found] == wanted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return new_folder(tmp_path_factory.mktemp("adapters"))


@pytest.fixture
def tiny(folder: Folder) -> Iterator[BatchedModel]:
    with BatchedModel(folder.path / "base.gguf", lambda: 1, gpu_layers=0, limits=Limits(rows=4)) as model:
        yield model


def test_a_conversation_that_goes_on_is_read_from_where_it_stopped(tiny: BatchedModel, folder: Folder) -> None:
    first = asked("a" * 300)
    said = collect(tiny.stream(first, Sampling(10))).text
    then = [*first, Message("assistant", said), Message("user", "and?")]
    _, before = tiny.work
    again = collect(tiny.stream(then, Sampling(10)))
    _, after = tiny.work
    assert after - before < again.end.prompt_tokens - 300 + 10
    with folder.open() as fresh:
        assert again.text == collect(fresh.stream(then, Sampling(10))).text


def test_what_several_begin_with_is_read_once(tiny: BatchedModel, folder: Folder) -> None:
    system = "b" * 400
    _, before = tiny.work
    found = at_once(lambda text: collect(tiny.stream(asked(text, system), Sampling(10))), ["ls", "pwd", "who", "df"])
    _, after = tiny.work
    assert after - before < 400 + 4 * 60
    with folder.open() as fresh:
        wanted = [collect(fresh.stream(asked(text, system), Sampling(10))).text for text in ("ls", "pwd", "who", "df")]
    assert [done.text for done in found] == wanted


@pytest.mark.parametrize("kept", [1, 37, 99])
def test_logits_behind_a_shared_beginning_are_those_of_a_fresh_row(folder: Folder, kept: int) -> None:
    first, second = [*range(60, 160)], [*range(60, 60 + kept), *range(200, 180, -1)]
    weights = Weights(folder.path / "base.gguf", 0)
    cells = Cells(weights, 512, rows=3, threads=1)
    cells.decode([Part(0, tuple(first), has_logits=True), Part(2, (65, 66), has_logits=True)])
    cells.share(0, 1, kept)
    cells.cut(0, 0)
    logits = cells.decode([Part(1, tuple(second[kept:]), has_logits=True), Part(2, (67,), has_logits=False)])
    assert logits is not None
    np.testing.assert_allclose(logits[0], folder.fresh(tokens=second), atol=TOLERANCE)
    assert cells.used([(1, len(second)), (2, 3)]) == len(second) + 3
    cells.close()
    weights.close()


def test_whoever_leaves_frees_the_row_within_a_token(tiny: BatchedModel) -> None:
    chunks = tiny.stream(asked("ls"), Sampling(900))
    for _ in range(5):
        next(chunks)
    before, _ = tiny.work
    chunks.close()  # type: ignore[attr-defined]
    left, _ = tiny.work
    collect(tiny.stream(asked("pwd"), Sampling(1)))
    after, _ = tiny.work
    assert after - left <= 3, f"{after - left} steps: one under way, one for the next prompt"
    assert left - before <= 10


def test_an_answer_that_is_dropped_unread_is_left(tiny: BatchedModel) -> None:
    tiny.stream(asked("ls"), Sampling(900))
    collect(tiny.stream(asked("pwd"), Sampling(1)))
    steps, _ = tiny.work
    collect(tiny.stream(asked("who"), Sampling(1)))
    assert tiny.work[0] - steps <= 3


def test_an_interrupt_keeps_the_part_and_says_so(tiny: BatchedModel) -> None:
    seen: list[str] = []
    done = collect(tiny.stream(asked("ls"), Sampling(500), stop=lambda: len(seen) > 3), seen.append)
    assert done.end.finish is Finish.INTERRUPTED
    assert done.text == "".join(seen).strip()


def test_an_interrupt_ends_the_reading_of_a_prompt(tiny: BatchedModel) -> None:
    done = collect(tiny.stream(asked("c" * 800), Sampling(100), stop=lambda: True))
    assert (done.end.finish, done.text) == (Finish.INTERRUPTED, "")
    assert done.end.completion_tokens < 100  # some, where the one who asked gets no processor to say so


def test_adapters_in_flight_are_never_mixed(tiny: BatchedModel, folder: Folder) -> None:
    sets = [(), (folder.file("a"),), (folder.file("b", 0.5),), (folder.file("a"), folder.file("b"))]
    wanted = []
    with folder.open() as model:
        for files in sets:
            model.apply(files)
            wanted.append(collect(model.stream(asked("ls -l"), Sampling(40))))
    jobs = [index % len(sets) for index in range(16)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        stream = lambda index: collect(tiny.stream(asked("ls -l"), Sampling(40), adapters=sets[index]))  # noqa: E731
        found = list(pool.map(stream, jobs))
    for index, done in zip(jobs, found, strict=True):
        assert (done.text, done.end) == (wanted[index].text, wanted[index].end)


def test_a_stream_ends_on_the_adapter_that_it_began_with(tiny: BatchedModel, folder: Folder) -> None:
    chunks = tiny.stream(asked("ls"), Sampling(60), adapters=(folder.file("a"),))
    begun = [next(chunks) for _ in range(5)]
    with ThreadPoolExecutor(1) as pool:
        swapped = pool.submit(lambda: collect(tiny.stream(asked("ls"), Sampling(5), adapters=(folder.file("b"),))))
        done = collect([*begun, *chunks])
        assert (done.end.adapters, swapped.result().end.adapters) == ((("a", 1.0),), (("b", 1.0),))
    with folder.open() as model:
        model.apply([folder.file("a")])
        assert done.text == collect(model.stream(asked("ls"), Sampling(60))).text


def test_a_file_that_cannot_be_applied_fails_its_own_requests_alone(folder: Folder, tmp_path: Path) -> None:
    def check(file: AdapterFile) -> None:
        if file.name == "changed":
            raise AdapterChanged("it was changed")

    (tmp_path / "bad.gguf").write_bytes(b"no model at all")
    good = (folder.file("a"),)
    sets: list[tuple[tuple[AdapterFile, ...], type[AdapterError] | None]] = [
        (good, None),
        ((AdapterFile("bad", str(tmp_path / "bad.gguf"), ""),), AdapterUnreadable),
        ((AdapterFile("changed", folder.file("b").path, ""),), AdapterChanged),
        (good, None),
    ]
    with BatchedModel(folder.path / "base.gguf", lambda: 1, gpu_layers=0, check=check) as model:
        for files, error in sets:
            if error is None:
                assert collect(model.stream(asked("ls"), Sampling(5), adapters=files)).end.adapters == (("a", 1.0),)
            else:
                with pytest.raises(error):
                    collect(model.stream(asked("ls"), Sampling(5), adapters=files))


def test_who_finds_the_queue_full_is_told_when_to_come_again(folder: Folder) -> None:
    with BatchedModel(folder.path / "base.gguf", lambda: 1, gpu_layers=0, limits=Limits(1, 1024, 2)) as model:
        streams = [model.stream(asked("ls"), Sampling(900))]
        next(streams[0])
        streams += [model.stream(asked("ls"), Sampling(900)) for _ in range(2)]
        with pytest.raises(EngineBusy) as caught:
            model.stream(asked("ls"), Sampling(900))
        assert caught.value.retry_after_seconds >= 1


def test_what_can_never_fit_is_refused_and_what_does_not_fit_now_waits(tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf", context_tokens=4096)
    with BatchedModel(file, lambda: 1, gpu_layers=0, limits=Limits(rows=4, most_tokens=1024)) as model:
        with pytest.raises(ContextTooLong, match="holds 1,024"):
            model.stream(asked("d" * 1000), Sampling(200))
        found = at_once(lambda text: collect(model.stream(asked(text * 500), Sampling(100))), list("abcdef"))
        assert [done.end.prompt_tokens for done in found] == [found[0].end.prompt_tokens] * 6
        assert model.context_tokens == 1024


def test_the_context_grows_between_answers(tmp_path: Path) -> None:
    file = write_tiny(tmp_path / "tiny.gguf", context_tokens=32768)
    with BatchedModel(file, lambda: 1, gpu_layers=0, limits=Limits(rows=2, most_tokens=32768)) as model:
        before = model.context_tokens
        short = collect(model.stream(asked("ls"), Sampling(5))).text
        collect(model.stream(asked("ls"), Sampling(before), stop=lambda: True))
        assert model.context_tokens == 2 * before
        assert collect(model.stream(asked("ls"), Sampling(5))).text == short


def test_one_thread_alone_ever_computes(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, seen = Cells.decode, list[str]()

    def noted(cells: Cells, *rest: Any) -> list[NDArray[np.float32]] | None:
        seen.append(threading.current_thread().name)
        return decode(cells, *rest)

    monkeypatch.setattr(Cells, "decode", noted)
    with BatchedModel(folder.path / "base.gguf", lambda: 2, gpu_layers=0) as model:
        assert len(seen) == 1, "it evaluates a token before anybody asks"
        collect(model.stream(asked("ls"), Sampling(5)))
    assert len(seen) >= 5
    assert set(seen) == {"decoding"}


def test_a_model_that_cannot_run_says_so_when_it_is_opened(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cells, "decode", lambda *_: [np.array([np.nan], np.float32)])
    before = threading.active_count()
    with pytest.raises(BadModel, match="not finite"):
        BatchedModel(folder.path / "base.gguf", lambda: 1, gpu_layers=0)
    assert threading.active_count() == before


def test_a_model_that_is_closed_leaves_nobody_waiting(folder: Folder) -> None:
    model = BatchedModel(folder.path / "base.gguf", lambda: 1, gpu_layers=0, limits=Limits(rows=1))
    streams = [model.stream(asked("ls"), Sampling(900)) for _ in range(3)]
    closer = threading.Thread(target=model.close)
    closer.start()
    for stream in streams:
        with pytest.raises(EngineDied):
            collect(stream)
    closer.join()
    with pytest.raises(EngineDied):
        model._queue.check()
