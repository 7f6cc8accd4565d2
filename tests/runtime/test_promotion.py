"""What becomes of a candidate: active, or refused with the reasons."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shammah import checkpoints, reports
from shammah.feedback import Feedback, rate
from shammah.following import folder_of
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.records.adapters import Adapter
from shammah.records.bases import Base
from shammah.records.examples import Rating
from shammah.reports import PAGE
from shammah.reports.page import page
from shammah.settings import Settings
from shammah_convert.job import Change, Confirmed, Job, Probe, Report, Score
from tests.fake_trainer import UNCHANGED, WORSE, FakeTrainer
from tests.trainings import base, correct, journal, settings, trainer

__all__ = ["base", "journal", "settings"]


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


def test_a_coarsely_quantized_base_is_given_a_wider_tolerance(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    with LocalModel(Path(base.path)) as model:
        near = float(model.logits([1, 2, 3])[5]) + 0.5
    fake = FakeTrainer(value=1e-6, probes=(Probe((1, 2, 3), ((5, near),)),))
    assert trainer(settings, journal, fake).start(base, False).state == "failed"
    coarse = replace(fake, tensor_types=("Q4_K", "F32"))
    assert trainer(settings, journal, coarse).start(base, False).state == "promoted"


def test_the_next_training_is_compared_with_what_is_active(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    trainer(settings, journal, FakeTrainer()).start(base, False)
    second = trainer(settings, journal, FakeTrainer(general=UNCHANGED)).start(base, False)
    job = Job.read(folder_of(settings.home, second))
    assert [(file.name, file.scale) for file in job.active] == [("corrections-v1", 1.0)]
    assert journal.adapters.active(base.sha256) == (("corrections-v2", 1.0),)
    assert journal.adapters.roll_back(base.sha256) == (("corrections-v1", 1.0),)


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
