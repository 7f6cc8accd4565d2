"""The parent of a training: what it makes of what the trainer says, and what it leaves behind."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shammah import checkpoints, child, config, following, general, reports
from shammah.amounts import Memory
from shammah.errors import TrainingRuns
from shammah.feedback import Feedback, rate
from shammah.following import folder_of
from shammah.generation import Finish, Stop
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.locks import TRAINING, only_one
from shammah.policy import Reason, Side
from shammah.records.adapters import Adapter, Training
from shammah.records.bases import Base
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.reports import PAGE
from shammah.reports.page import page
from shammah.settings import Settings
from shammah.training import Trainer
from shammah_convert.chat import Message
from shammah_convert.examples import Example, read, write
from shammah_convert.job import (
    CANCEL,
    EXAMPLES,
    GENERAL,
    HELD_OUT,
    PARAPHRASES,
    REPLAY,
    Change,
    Confirmed,
    Job,
    Probe,
    Report,
    Score,
)
from tests.fake_trainer import UNCHANGED, WORSE, FakeTrainer
from tests.known import record_tiny
from tests.tiny import write_tiny


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    write_tiny(tmp_path / "tiny.gguf")
    return config.load({"SHAMMAH_HOME": str(home), "SHAMMAH_MODEL_PATH": str(tmp_path / "tiny.gguf")})


@pytest.fixture
def journal(settings: Settings) -> Iterator[Journal]:
    with Journal(settings.home) as journal:
        yield journal


@pytest.fixture
def base(journal: Journal, settings: Settings) -> Base:
    base = record_tiny(journal, Path(settings.model.path))
    file = general.cache_file(settings.home, base.sha256)
    file.parent.mkdir(exist_ok=True)
    file.write_text(write([example("general-0"), example("replay-0")]))
    return base


def example(id: str) -> Example:
    return Example(id, (Message("user", "Hello"),), (Message("assistant", "Hi"),), None, 1.0, "self", "")


def ask(journal: Journal, text: str, side: Side = Side.LOCAL) -> None:
    question = journal.begin("here", "base", [Message("user", text)], 0, True)
    answer = NewAnswer(side, True, f"answer to {text}", Reason.FORCED, Finish.STOP, "m", (), False, 1, 1, {})
    journal.save(question, [answer])


def correct(journal: Journal, text: str, target: str = "right") -> None:
    ask(journal, text)
    question = journal.last_question("here")
    assert question is not None
    rate(journal, question, Feedback(Rating.CRITICAL, "", target), has_teacher=False)


def trainer(settings: Settings, journal: Journal, fake: FakeTrainer, **more: Any) -> Trainer:
    python = fake.write(settings.home)
    settings = replace(settings, trainer=replace(settings.trainer, python=python))
    return Trainer(settings, journal, lambda base: LocalModel(Path(base.path)), **more)


def test_a_better_candidate_becomes_active(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    heard: list[dict[str, Any]] = []
    ended = trainer(settings, journal, FakeTrainer(steps=3), hear=heard.append).start(base, is_forced=False)
    assert (ended.state, ended.adapter) == ("promoted", "corrections-v1")
    assert journal.adapters.active(base.sha256) == (("corrections-v1", 1.0),)
    assert [line["step"] for line in heard if line["event"] == "step"] == [1, 2, 3]
    adapter = journal.adapters.find("corrections-v1")
    assert adapter is not None
    assert Path(adapter.path).name.endswith("-corrections-v1-F16-LoRA.gguf")
    assert journal.adapters.examples(adapter) == [e.id for e in journal.examples.live()]
    report = Report.read(folder_of(settings.home, ended))
    assert (report.decision, report.reasons) == ("promoted", ())
    (checkpoint,) = journal.checkpoints.all(base.sha256)
    assert checkpoint.why == "before the promotion of training 1"
    assert checkpoints.read(checkpoint).active == ()


def test_all_that_is_active_is_compared_with_and_another_name_for_it_stops_nothing(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    active = (("rust", 0.5), ("style", 1.0))
    for name, sha256 in (("rust", "ab" * 32), ("style", "cd" * 32)):
        journal.adapters.add(Adapter(name, base.sha256, f"/{name}", sha256, None, {}, "2026-01-01T00:00:00Z", None))
    journal.adapters.activate(base.sha256, active, "use")

    def hear(line: dict[str, Any]) -> None:
        rust = journal.adapters.find("rust")
        if line["event"] == "step" and rust is not None:
            assert journal.adapters.rename(rust, "crab")

    ended = trainer(settings, journal, FakeTrainer(steps=3), hear=hear).start(base, is_forced=False)
    assert tuple((file.name, file.scale) for file in Job.read(folder_of(settings.home, ended)).active) == active
    assert (ended.state, ended.reason) == ("promoted", "")
    made = journal.adapters.find("corrections-v1")
    assert made is not None
    assert made.parent == "crab+style"
    assert journal.adapters.roll_back(base.sha256) == (("crab", 0.5), ("style", 1.0))


def test_a_worse_candidate_is_refused_and_the_report_says_why(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    ended = trainer(settings, journal, FakeTrainer(general=WORSE)).start(base, is_forced=False)
    assert ended.state == "refused"
    assert "general questions rose" in ended.reason
    assert journal.adapters.active(base.sha256) == ()
    report = Report.read(folder_of(settings.home, ended))
    assert report.decision == "refused"
    assert report.reasons == (ended.reason,)


def test_force_overrides_the_gate_and_the_objections_stay_in_the_report(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    ended = trainer(settings, journal, FakeTrainer(general=WORSE)).start(base, is_forced=True)
    assert ended.state == "promoted"
    report = Report.read(folder_of(settings.home, ended))
    assert report.decision == "promoted"
    assert len(report.reasons) == 1


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (FakeTrainer(error="the loss is nan in step 3"), "the loss is nan in step 3"),
        (FakeTrainer(value=2000.0), "ended with code 1"),
        (FakeTrainer(base_sha256="0" * 64), "was made for another file"),
        (FakeTrainer(probes=(Probe((1, 2, 3), ((5, 99.0),)),)), "logits with the adapter differ"),
    ],
)
def test_a_failure_is_recorded_and_changes_nothing(
    settings: Settings, journal: Journal, base: Base, fake: FakeTrainer, words: str
) -> None:
    correct(journal, "one")
    ended = trainer(settings, journal, fake).start(base, is_forced=False)
    assert ended.state == "failed"
    assert words in ended.reason
    assert journal.adapters.all() == []
    assert journal.adapters.active(base.sha256) == ()
    assert list((settings.home / "adapters").glob("*")) == [] or not (settings.home / "adapters").exists()


def test_a_coarsely_quantized_base_is_given_a_wider_tolerance(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    with LocalModel(Path(base.path)) as model:
        near = float(model.logits([1, 2, 3])[5]) + 0.5
    fake = FakeTrainer(value=1e-6, probes=(Probe((1, 2, 3), ((5, near),)),))
    assert trainer(settings, journal, fake).start(base, False).state == "failed"
    coarse = replace(fake, tensor_types=("Q4_K", "F32"))
    assert trainer(settings, journal, coarse).start(base, False).state == "promoted"


def test_a_cancelled_training_leaves_everything_as_it_was(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")

    def hear(line: dict[str, Any]) -> None:
        if line["event"] == "step":
            assert following.cancel(settings.home, journal) is not None

    fake = FakeTrainer(steps=500, pause=0.02)
    ended = trainer(settings, journal, fake, hear=hear).start(base, False)
    assert ended.state == "cancelled"
    assert journal.adapters.all() == []


def test_an_interrupt_ends_the_child_and_leaves_everything_as_it_was(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")

    def hear(line: dict[str, Any]) -> None:
        if line["event"] == "step":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(settings, journal, FakeTrainer(steps=500, pause=0.02), hear=hear).start(base, False)
    last = journal.trainings.last()
    assert last is not None
    assert last.state == "cancelled"
    count = (folder_of(settings.home, last) / "progress.jsonl").read_text().count("\n")
    assert count < 500


def test_only_one_training_runs_at_a_time(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    with only_one(settings.home / TRAINING), pytest.raises(TrainingRuns):
        trainer(settings, journal, FakeTrainer()).start(base, False)
    assert journal.trainings.last() is None


def test_a_training_whose_process_was_killed_is_closed_by_the_next(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    killed = journal.trainings.begin(base.sha256, is_forced=False)
    assert killed is not None
    assert trainer(settings, journal, FakeTrainer()).start(base, False).state == "promoted"
    assert journal.trainings.at(killed.number).state == "failed"


def left_by_a_killed_process(settings: Settings, journal: Journal, base: Base) -> Training:
    """A training of the background whose process was killed before its first checkpoint."""
    correct(journal, "one")
    queued = journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False)
    assert queued is not None
    journal.trainings.start(queued, ["gone"])
    folder_of(settings.home, queued).mkdir(parents=True)
    return queued


def test_a_cancel_that_a_killed_process_did_not_see_still_holds(
    settings: Settings, journal: Journal, base: Base
) -> None:
    left = left_by_a_killed_process(settings, journal, base)
    (folder_of(settings.home, left) / CANCEL).touch()
    assert trainer(settings, journal, FakeTrainer()).resume(left).state == "cancelled"


def test_a_queued_training_begins_again_where_its_process_was_killed(
    settings: Settings, journal: Journal, base: Base
) -> None:
    left = left_by_a_killed_process(settings, journal, base)
    half = folder_of(settings.home, left) / "half"
    half.touch()
    assert trainer(settings, journal, FakeTrainer()).resume(left).state == "promoted"
    assert not half.exists()


def test_the_job_freezes_all_live_examples_with_their_weights(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    ask(journal, "two", Side.TEACHER)
    ended = trainer(settings, journal, FakeTrainer()).start(base, False)
    folder = folder_of(settings.home, ended)
    frozen = list(read((folder / EXAMPLES).read_text("utf-8")))
    assert frozen == journal.examples.live()
    assert [e.weight for e in frozen] == [10.0, 1.0]
    job = Job.read(folder)
    assert job.corrections == (frozen[0].id,)
    assert job.base_sha256 == base.sha256
    assert [e.id for e in read((folder / GENERAL).read_text("utf-8"))] == ["general-0"]
    assert (folder / HELD_OUT).read_text() == ""


def test_of_many_teacher_answers_some_are_held_out_and_no_correction_is(
    settings: Settings, journal: Journal, base: Base
) -> None:
    for number in range(40):
        ask(journal, f"question {number}", Side.TEACHER)
        correct(journal, f"correction {number}")
    ended = trainer(settings, journal, FakeTrainer()).start(base, False)
    folder = folder_of(settings.home, ended)
    learnt = {e.id for e in read((folder / EXAMPLES).read_text("utf-8"))}
    held_out = {e.id for e in read((folder / HELD_OUT).read_text("utf-8"))}
    assert 2 <= len(held_out) <= 16
    assert learnt.isdisjoint(held_out)
    assert set(Job.read(folder).corrections) <= learnt
    assert len(learnt) + len(held_out) == 80


def test_the_next_training_is_compared_with_what_is_active(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    trainer(settings, journal, FakeTrainer()).start(base, False)
    second = trainer(settings, journal, FakeTrainer(general=UNCHANGED)).start(base, False)
    job = Job.read(folder_of(settings.home, second))
    assert [(file.name, file.scale) for file in job.active] == [("corrections-v1", 1.0)]
    assert journal.adapters.active(base.sha256) == (("corrections-v2", 1.0),)
    assert journal.adapters.roll_back(base.sha256) == (("corrections-v1", 1.0),)


def test_lines_are_read_whole_also_while_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    with file.open("a", encoding="utf-8") as writer, file.open(encoding="utf-8") as reader:
        writer.write(json.dumps({"event": "öffnen"}, ensure_ascii=False) + '\n{"event": "st')
        writer.flush()
        assert [line["event"] for line in child.new_lines(reader)] == ["öffnen"]
        assert list(child.new_lines(reader)) == []
        writer.write('ep"}\n')
        writer.flush()
        assert [line["event"] for line in child.new_lines(reader)] == ["step"]


def test_what_a_user_corrected_is_neither_replayed_nor_held_out(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "Hello")  # the question of the base's own answers in these tests
    correct(journal, "one")
    ended = trainer(settings, journal, FakeTrainer()).start(base, False)
    folder = folder_of(settings.home, ended)
    assert (folder / GENERAL).read_text() == (folder / REPLAY).read_text() == ""


@pytest.mark.parametrize("change", ["drop", "rate", "activate"])
def test_what_happens_during_a_training_is_not_overruled_by_it(
    settings: Settings, journal: Journal, base: Base, change: str
) -> None:
    correct(journal, "one")

    def hear(line: dict[str, Any]) -> None:
        if line["event"] != "step":
            return
        if change == "drop":
            journal.examples.drop(journal.examples.all()[0].example.id)
        elif change == "rate":
            question = journal.last_question("here")
            assert question is not None
            rate(journal, question, Feedback(Rating.CRITICAL, "", "quite different"), has_teacher=False)
        else:
            journal.adapters.add(Adapter("other", base.sha256, "nowhere", "0" * 64, None, {}, "2026", None))
            journal.adapters.activate(base.sha256, (("other", 1.0),), "use")

    ended = trainer(settings, journal, FakeTrainer(steps=1), hear=hear).start(base, is_forced=False)
    assert ended.state == "refused"
    assert "meanwhile" in ended.reason


def test_a_model_that_was_replaced_is_not_trained(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    queued = journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False)
    assert queued is not None
    write_tiny(Path(base.path), seed=9)
    ended = trainer(settings, journal, FakeTrainer()).resume(queued)
    assert ended.state == "failed"
    assert "was replaced" in ended.reason


def test_a_page_is_left_beside_the_report(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    ended = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False)
    folder = folder_of(settings.home, ended)
    assert (folder / PAGE).read_text("utf-8") == page(reports.read(folder))
    assert "Promoted" in (folder / PAGE).read_text("utf-8")


def test_a_candidate_that_llama_cpp_contradicts_is_refused_and_leaves_no_file(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    liar = FakeTrainer(learnt=Change(Score(1, 3.0, 0), Score(1, 0.1, 1)))
    ended = trainer(settings, journal, liar).start(base, is_forced=False)
    assert ended.state == "refused"
    assert "llama.cpp answers none of 1 corrections" in ended.reason
    report = Report.read(folder_of(settings.home, ended))
    assert (report.confirmed, report.reasons) == (Confirmed(1, 0), (ended.reason,))
    assert "the loss on what it should learn fell" in report.merits[0]
    assert list((settings.home / "adapters").iterdir()) == []
    assert trainer(settings, journal, liar).start(base, is_forced=True).state == "promoted"


def test_corrections_in_other_words_go_to_the_trainer(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    ask(journal, "two", Side.TEACHER)
    asked: list[Sequence[Example]] = []

    def paraphrase(corrections: Sequence[Example], _: Stop) -> list[Example]:
        asked.append(corrections)
        return [replace(corrections[0], id="other")]

    ended = trainer(settings, journal, FakeTrainer(), paraphrase=paraphrase).start(base, is_forced=False)
    assert [[e.prompt[-1].content for e in corrections] for corrections in asked] == [["one"]]
    others = (folder_of(settings.home, ended) / PARAPHRASES).read_text("utf-8")
    assert [e.id for e in read(others)] == ["other"]


def test_where_nobody_is_asked_there_are_no_other_words(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    ended = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False)
    assert not (folder_of(settings.home, ended) / PARAPHRASES).exists()


def test_the_job_says_how_it_is_to_be_learnt(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    ways = replace(settings.trainer, continue_active=True, easy_first=True, preference=0.5, rank=2, batch=3, epochs=5)
    for wanted, told in ((settings, (False, False, 0.0)), (replace(settings, trainer=ways), (True, True, 0.5))):
        ended = trainer(wanted, journal, FakeTrainer()).start(base, is_forced=False)
        plan = Job.read(folder_of(settings.home, ended)).plan
        assert (plan.continues, plan.is_easy_first, plan.preference_weight) == told
    assert (plan.rank, plan.batch_rows, plan.most_epochs) == (2, 3, 5)


def test_a_rank_that_the_model_cannot_hold_ends_the_training_before_it_begins(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    settings = replace(settings, trainer=replace(settings.trainer, rank=256))
    ended = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False)
    assert ended.state == "failed"
    assert "rank 256 is too large" in ended.reason
    assert not (folder_of(settings.home, ended) / EXAMPLES).exists()


def test_the_job_says_how_much_memory_it_may_take(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    settings = replace(settings, trainer=replace(settings.trainer, max_memory=Memory(3 * 10**9)))
    first = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False)
    second = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False, most_memory_bytes=2 * 10**9)
    bounds = [Job.read(folder_of(settings.home, ended)).plan.most_memory_bytes for ended in (first, second)]
    assert bounds == [3 * 10**9, 2 * 10**9], "what was asked for beats the settings"
