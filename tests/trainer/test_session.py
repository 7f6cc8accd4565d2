"""From a job folder to an adapter and a report, in a process of its own."""

import contextlib
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from shammah.local import LocalModel
from shammah_convert.examples import write
from shammah_convert.job import (
    ADAPTER,
    CANCEL,
    CANCELLED,
    CHECKPOINTS,
    EXAMPLES,
    GENERAL,
    HELD_OUT,
    JOB,
    PARAPHRASES,
    PROGRESS,
    REPLAY,
    REPORT,
    AdapterFile,
    Change,
    Job,
    Measure,
    Report,
)
from shammah_convert.lora import TARGETS, read_lora
from shammah_convert.planted import PLANTED
from shammah_trainer.__main__ import DONE, FAILED
from shammah_trainer.budget import TooLittleMemory
from shammah_trainer.keeping import GENERATIONS
from shammah_trainer.material import NothingToLearn
from shammah_trainer.progress import Progress
from shammah_trainer.session import train
from tests.forks import codes, fork_trainer
from tests.job_folders import HELD, LEARNT, OWN, PLAN, command, example, job_on, prepare, told
from tests.qwens import LAYERS, Kind, vocabulary

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

KIND = Kind("qwen3", "Q8_0")
TOLERANCE = 0.3  # as in test_lora_on_base.py
Ended = dict[str, tuple[Path, int | None]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KIND.write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture(scope="module")
def job(base: Path) -> Job:
    return job_on(base)


@pytest.fixture(scope="module")
def ended(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Three trainers that ran side by side: a whole job (the command itself), a cancelled one, and one that is none."""
    folders = {name: prepare(tmp_path_factory.mktemp(name), job) for name in ("whole", "cancelled", "broken")}
    (folders["cancelled"] / CANCEL).touch()
    (folders["broken"] / JOB).write_text("{}")
    whole = subprocess.Popen(command(folders["whole"]), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cancelled, broken = codes([fork_trainer(folders[name]) for name in ("cancelled", "broken")])
    ends = {"whole": whole.wait(120), "cancelled": cancelled, "broken": broken}
    return {name: (folder, ends[name]) for name, folder in folders.items()}


def trained(folder: Path) -> Report:
    with contextlib.closing(Progress(folder)) as progress:
        return train(folder, progress)


# A whole job.


def test_a_whole_job_ends_well_with_an_adapter_and_a_report(ended: Ended) -> None:
    folder, code = ended["whole"]
    assert code == DONE, told(folder)
    expected = {JOB, EXAMPLES, HELD_OUT, GENERAL, REPLAY, PROGRESS, ADAPTER, REPORT}
    checkpoints = {path.name for path in folder.glob(CHECKPOINTS)}
    assert 1 <= len(checkpoints) <= GENERATIONS, "the runtime drops them once it has decided"
    assert {path.name for path in folder.iterdir()} == expected | checkpoints


def test_the_adapter_says_where_it_comes_from(ended: Ended, job: Job) -> None:
    folder, _ = ended["whole"]
    adapter, report = read_lora(folder / ADAPTER, KIND.config), Report.read(folder)
    card = adapter.card
    assert (card.name, card.version, card.base_name) == (job.name, job.version, "random qwen")
    assert (card.base_sha256, card.examples_sha256, card.parent) == (job.base_sha256, job.examples_sha256, "")
    assert (adapter.alpha, len(adapter.pairs)) == (PLAN.alpha, LAYERS * len(TARGETS))
    assert card.scores["learnt.exact"] == 1.0
    assert card.scores["held_out.loss"] == pytest.approx(report.held_out.after.loss)
    assert card.file_name == f"random-qwen-{card.size_label}-corrections-v3-F16-LoRA.gguf"


def test_the_report_tells_what_was_learnt(ended: Ended) -> None:
    report = Report.read(ended["whole"][0])
    assert report.stopped == "every correction is learnt"
    assert (report.learnt.before.exact, report.learnt.after.exact) == (0, 1)
    assert report.learnt.after.loss < 0.3 < report.learnt.before.loss
    assert report.held_out.before.rows == report.held_out.after.rows == len(HELD)
    assert report.general.before.rows == report.general.after.rows == len(OWN)
    assert report.paraphrases == Change(), "nobody wrote any"
    assert report.drift.before == Measure(), "the bare base was active"
    assert report.drift.after.value > 0
    assert report.losses == tuple(line["loss"] for line in told(ended["whole"][0]) if line["event"] == "step")
    assert report.steps >= report.epochs > 0
    assert set(report.tensor_types) == {"F32", "Q8_0"}
    assert report.decision == "", "that is the runtime's to make"


def test_too_long_examples_are_left_out_and_named(ended: Ended) -> None:
    assert Report.read(ended["whole"][0]).left_out == ("long",)


def test_the_probes_are_what_llama_cpp_says_with_the_adapter(ended: Ended, base: Path) -> None:
    folder, _ = ended["whole"]
    report = Report.read(folder)
    assert len(report.probes) == 1 + len(HELD) + len(OWN)
    with LocalModel(base, gpu_layers=0) as model:
        model.apply([AdapterFile("mine", str(folder / ADAPTER), "")])
        assert list(report.probes[0].tokens) == model.prompt_tokens(LEARNT[0].prompt)
        for probe in report.probes:
            logits = model.logits(probe.tokens)
            assert len(probe.top) == 20
            assert max(abs(logits[token] - logit) for token, logit in probe.top) < TOLERANCE
        ending = vocabulary("qwen3").tokens[report.probes[0].top[0][0]]
        assert LEARNT[0].completion[0].content.startswith(ending), "the correction begins with the likeliest token"


def test_the_progress_is_told_in_order(ended: Ended) -> None:
    folder, _ = ended["whole"]
    lines, report = told(folder), Report.read(folder)
    kinds = [line["event"] for line in lines]
    assert [kind for kind in kinds if kind not in ("step", "epoch")] == [
        "opening",
        "planned",
        "comparing",
        "evaluating",
        "evaluated",
    ]
    loop = kinds[3:-2]
    assert (loop.count("step"), loop.count("epoch")) == (report.steps, report.epochs)
    assert (loop[0], loop[-1]) == ("step", "epoch")
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    # Three answers of the base's, and a stranger of the one question that can be put otherwise.
    assert lines[2] | {"examples": 2, "replay": 3 + 1, "held_out": 3} == lines[2]


# Other ends.


def test_a_cancelled_job_leaves_no_adapter(ended: Ended) -> None:
    folder, code = ended["cancelled"]
    assert code == CANCELLED
    assert told(folder)[-1]["event"] == "cancelled"
    assert not {ADAPTER, REPORT, f"{ADAPTER}.partial"} & {path.name for path in folder.iterdir()}


def test_a_broken_job_fails_and_says_why(ended: Ended) -> None:
    folder, code = ended["broken"]
    assert code == FAILED
    (line,) = told(folder)
    assert line["event"] == "failed"
    assert "job.json is no job" in line["error"]


def test_a_model_that_does_not_fit_the_memory_is_not_opened(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100_000_000))
    with pytest.raises(TooLittleMemory, match=r"takes 0\.5 GB at least .* and 0\.1 GB are free"):
        trained(prepare(tmp_path, job))
    assert [line["event"] for line in told(tmp_path)] == ["opening"]


def test_examples_that_are_all_too_long_are_no_job(job: Job, tmp_path: Path) -> None:
    with pytest.raises(NothingToLearn, match="at most 4 tokens"):
        trained(prepare(tmp_path, replace(job, plan=replace(PLAN, most_tokens=4))))


def test_the_context_bounds_examples_too(job: Job, tmp_path: Path) -> None:
    far = example("far", "x" * KIND.config.context_tokens)
    quick = replace(PLAN, most_epochs=1, most_tokens=10_000)
    report = trained(prepare(tmp_path, replace(job, plan=quick), [LEARNT[0], far]))
    assert report.left_out == ("far",)


def test_what_is_active_is_what_the_candidate_is_compared_with(ended: Ended, job: Job, tmp_path: Path) -> None:
    folder, _ = ended["whole"]
    active = (AdapterFile("corrections-v3", str(folder / ADAPTER), ""),)
    again = replace(job, name="corrections-v4", active=active, plan=replace(PLAN, most_epochs=1))
    report = trained(prepare(tmp_path, again))
    earlier = Report.read(folder)
    assert report.learnt.before.exact == 1
    assert report.learnt.before.loss == pytest.approx(earlier.learnt.after.loss, rel=1e-3)
    assert report.held_out.before.loss == pytest.approx(earlier.held_out.after.loss, rel=1e-3)
    assert report.drift.before.value == pytest.approx(earlier.drift.after.value, rel=1e-3)
    assert report.weight_norm.before.value == pytest.approx(earlier.weight_norm.after.value, rel=1e-5)
    assert report.weight_norm.after.value != report.weight_norm.before.value
    assert read_lora(tmp_path / ADAPTER, KIND.config).card.parent == "corrections-v3"


def test_a_training_may_continue_from_what_is_active(ended: Ended, job: Job, tmp_path: Path) -> None:
    folder, _ = ended["whole"]
    active = (AdapterFile("corrections-v3", str(folder / ADAPTER), ""),)
    still = replace(PLAN, most_epochs=1, learning_rate=1e-12, is_varied=False)
    again = replace(job, name="corrections-v4", active=active, plan=replace(still, continues=True))
    report = trained(prepare(tmp_path, again))
    assert report.learnt.after.loss == pytest.approx(report.learnt.before.loss, rel=1e-2), "nothing was learnt since"
    assert report.drift.after.value == pytest.approx(report.drift.before.value, rel=0.05)


def test_easy_examples_may_come_first(job: Job, tmp_path: Path) -> None:
    learnt = [
        example(letter, "say", answer=answer) for letter, answer in zip("abc", ("a", "bcd", "x" * 60), strict=True)
    ]
    easy = replace(PLAN, is_easy_first=True, is_varied=False, batch_rows=8, most_epochs=3, learning_rate=1e-12)
    folder = prepare(tmp_path, replace(job, plan=easy, corrections=()), learnt)
    report = trained(folder)
    by_epoch = [report.losses[start : start + 8] for start in (0, 8, 16)]
    assert len(set(by_epoch[0])) == 1, "one of three is drawn again and again"
    assert len(set(by_epoch[2])) > 2
    assert max(by_epoch[0]) < max(by_epoch[2])


def test_what_words_from_outside_set_off_is_told_before_and_after(job: Job, tmp_path: Path) -> None:
    folder = prepare(tmp_path, job)
    (folder / PLANTED["mcp"]).write_text(
        write([example("m", "tell x", answer="x"), example("n", "tell y", answer="y")])
    )
    planted = trained(folder).planted
    assert list(planted) == ["mcp"]
    assert (planted["mcp"].before.rows, planted["mcp"].after.rows) == (2, 2)
    assert planted["mcp"].rise is not None


def test_paraphrases_are_told_before_and_after(job: Job, tmp_path: Path) -> None:
    folder = prepare(tmp_path, replace(job, plan=replace(PLAN, most_epochs=1)))
    others = [example(str(place), text) for place, text in enumerate(("show files", "which files are here"))]
    (folder / PARAPHRASES).write_text(write(others), "utf-8")
    found = trained(folder).paraphrases
    assert (found.before.rows, found.after.rows) == (2, 2)
    assert found.after.loss < found.before.loss
    assert found.rise is not None
