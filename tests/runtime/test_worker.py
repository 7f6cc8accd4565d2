"""The background worker: what it does, when it waits, and that there is only one."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import config, embedding, hardware
from shammah.journal import Journal
from shammah.journal.checkpoints import CHECKPOINT_JOB, CHECKPOINT_QUESTIONS
from shammah.journal.heads import REFIT_LESSONS
from shammah.journal.jobs import MOST_ATTEMPTS
from shammah.locks import WORKER, background, only_one
from shammah.records.jobs import Job
from shammah.settings import Settings, WorkerSettings
from shammah.workbench import Workbench
from shammah.worker import Worker
from tests.known import record_tiny
from tests.learnt import teach_base
from tests.tiny import write_tiny
from tests.worked import forwarded, settings, state_of

__all__ = ["settings"]


def test_a_forwarded_question_is_answered_locally_and_teaches_both_heads(journal: Journal, settings: Settings) -> None:
    question = forwarded(journal, settings)
    Worker(settings, journal).work()
    assert state_of(journal) == [("done", None)]
    local = next(given for given in journal.answers(question) if given.side == "local")
    assert (local.is_shown, local.reason, local.method) == (False, "sampled", "bleu"), "there is no embedder here"
    for head in ("router", "validator"):
        (lesson,) = journal.lessons.of(head, question.lineage, 0)
        assert (lesson.is_good, lesson.weight) == (False, 0.1)
        assert (journal.path.parent / "heads" / question.lineage[:16] / f"{head}.npz").is_file()


def test_an_embedder_that_somebody_else_made_meanwhile_is_taken_up(
    journal: Journal, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, question = Workbench(settings, journal), forwarded(journal, settings)
    assert bench.parts.embed is None
    monkeypatch.undo()
    assert embedding.prepare(settings.home) is not None, "as a training does"
    bench.prepare_embedder(question)
    assert bench.parts.embed is not None


def test_a_label_is_learnt_once(journal: Journal, settings: Settings) -> None:
    question = forwarded(journal, settings)
    Worker(settings, journal).work()
    journal.jobs.enqueue("label", {"question": question.number})
    Worker(settings, journal).work()
    assert len(list(journal.lessons.of("router", question.lineage, 0))) == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("is_on_battery", True, "battery"), ("ram_available_bytes", 1000, "RAM")],
)
def test_local_runs_wait_for_better_times(
    journal: Journal,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: object,
    words: str,
) -> None:
    forwarded(journal, settings)
    monkeypatch.setattr(hardware, name, lambda: value)
    Worker(settings, journal).work()
    ((state, error),) = state_of(journal)
    assert state == "queued"
    assert words in (error or "")
    assert journal.jobs.waiting() == [], "it is not tried again at once"


def test_on_battery_it_works_where_the_user_says_so(
    journal: Journal, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwarded(journal, settings)
    monkeypatch.setattr(hardware, "is_on_battery", lambda: True)
    Worker(replace(settings, worker=WorkerSettings(on_battery=True)), journal).work()
    assert state_of(journal) == [("done", None)]


@pytest.mark.parametrize(("offline", "online"), [(True, True), (False, False)])
def test_offline_no_teacher_is_asked(journal: Journal, settings: Settings, offline: bool, online: bool) -> None:
    forwarded(journal, settings, teacher="", online=online)
    Worker(replace(settings, offline=offline), journal).work()
    assert state_of(journal) == [("queued", "offline")]


def test_what_fails_is_tried_again_a_few_times(journal: Journal, settings: Settings) -> None:
    forwarded(journal, settings, teacher="")  # without a key, the teacher cannot be asked
    for attempt in range(MOST_ATTEMPTS):
        journal._db.execute("UPDATE jobs SET not_before = 0")
        Worker(settings, journal).work()
        expected = "queued" if attempt + 1 < MOST_ATTEMPTS else "failed"
        assert state_of(journal) == [(expected, "the teacher has no key")]


def test_a_broken_job_stops_no_other(journal: Journal, settings: Settings) -> None:
    journal.jobs.enqueue("label", {"question": 12345})
    forwarded(journal, settings)
    Worker(settings, journal).work()
    assert [state for state, _ in state_of(journal)] == ["failed", "done"]


def test_a_question_of_another_model_is_answered_by_that_model(
    journal: Journal, settings: Settings, tmp_path: Path
) -> None:
    question = forwarded(journal, settings)
    other = config.with_model(settings, str(write_tiny(tmp_path / "other.gguf", seed=9)))
    Worker(other, journal).work()
    assert state_of(journal) == [("done", None)]
    assert list(journal.lessons.of("router", question.lineage, 0))


def test_a_question_that_stays_here_goes_to_no_server_elsewhere(journal: Journal, settings: Settings) -> None:
    private = forwarded(journal, settings, online=False)
    away = replace(settings, model=replace(settings.model, server="https://models.example/v1"))
    assert Workbench(settings, journal).base_at_hand(private) is not None
    assert Workbench(away, journal).base_at_hand(private) is None
    assert Workbench(away, journal).base_at_hand(forwarded(journal, settings)) is not None


def test_a_job_of_a_newer_version_is_left_alone(journal: Journal, settings: Settings) -> None:
    journal.jobs.enqueue("levitate", {})
    Worker(settings, journal).work()
    ((state, _),) = state_of(journal)
    assert state == "queued"


def test_only_one_works_at_a_time(tmp_path: Path) -> None:
    with only_one(tmp_path / WORKER) as first, only_one(tmp_path / WORKER) as second:
        assert first is not None
        assert second is None
        first.name(7, 8)
        assert background(tmp_path) == [7, 8]
    assert background(tmp_path) == []


def test_a_killed_worker_names_nobody_whose_number_it_had(tmp_path: Path) -> None:
    (tmp_path / WORKER).write_text(str(os.getpid()))
    assert background(tmp_path) == []


def test_it_runs_at_idle_priority_and_ends_when_nothing_waits(tmp_path: Path) -> None:
    code = "import os; from shammah import worker; worker.main(); print(os.nice(0), os.sched_getscheduler(0))"
    environment = {"SHAMMAH_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert time.monotonic() - started < 60
    nice, scheduler = done.stdout.split()
    assert nice == "19"
    assert scheduler == ("5" if sys.platform == "linux" else scheduler), "5 is SCHED_IDLE"


def test_a_job_is_queued_once_while_it_waits(journal: Journal) -> None:
    journal.jobs.enqueue("label", {"question": 1})
    journal.jobs.enqueue("label", {"question": 1})
    (job,) = journal.jobs.waiting()
    assert job == Job(job.id, "label", {"question": 1}, 0)


def test_a_model_that_was_replaced_teaches_nothing(journal: Journal, settings: Settings, tmp_path: Path) -> None:
    question = forwarded(journal, settings)
    write_tiny(tmp_path / "tiny.gguf", seed=9)
    Worker(settings, journal).work()
    ((state, error),) = state_of(journal)
    assert state == "queued"
    assert "was replaced" in (error or "")
    assert list(journal.lessons.of("router", question.lineage, 0)) == []


def test_a_training_that_does_not_fit_waits_in_the_queue(
    journal: Journal, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = record_tiny(journal, Path(settings.model.path))
    queued = journal.trainings.queue(base.sha256, is_automatic=False, is_forced=False)
    monkeypatch.setattr(hardware, "ram_available_bytes", lambda: 500_000_000)
    Worker(settings, journal).work()
    assert state_of(journal) == [("queued", "training takes 0.6 GB of RAM, 0.5 GB are free")]
    assert queued is not None
    assert journal.trainings.at(queued.number).state == "queued"


def test_after_enough_lessons_the_heads_are_refitted(journal: Journal, settings: Settings) -> None:
    base = record_tiny(journal, Path(settings.model.path))
    teach_base(journal, base.sha256, REFIT_LESSONS - 1)
    forwarded(journal, settings)
    Worker(settings, journal).work()
    assert state_of(journal) == [("done", None), ("done", None)]
    for head in ("router", "validator"):
        fit = journal.heads.last_fit(base.sha256, head)
        assert fit
        assert fit.lessons == REFIT_LESSONS
    assert not journal.heads.is_refit_due(base.sha256, "router")


def test_after_a_hundred_questions_there_is_a_checkpoint(journal: Journal, settings: Settings) -> None:
    base = record_tiny(journal, Path(settings.model.path))
    teach_base(journal, base.sha256, CHECKPOINT_QUESTIONS)
    for _ in range(2):
        journal.jobs.enqueue(CHECKPOINT_JOB, {"lineage": base.sha256})
        Worker(settings, journal).work()
    (made,) = journal.checkpoints.all(base.sha256)
    assert (made.questions, made.why) == (CHECKPOINT_QUESTIONS, "100 questions")


def test_a_setting_that_was_changed_is_heeded_by_the_next_job(journal: Journal, settings: Settings) -> None:
    forwarded(journal, settings, teacher="")
    Worker(settings, journal, lambda: replace(settings, offline=True)).work()
    assert state_of(journal) == [("queued", "offline")]
