"""What a training learns from, and what it tells the trainer."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shammah import child
from shammah.amounts import Memory
from shammah.following import folder_of
from shammah.generation import Stop
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records.bases import Base
from shammah.settings import Settings
from shammah_convert.examples import Example, read
from shammah_convert.job import EXAMPLES, GENERAL, HELD_OUT, PARAPHRASES, REPLAY, Job
from tests.fake_trainer import FakeTrainer
from tests.trainings import ask, base, correct, journal, settings, trainer

__all__ = ["base", "journal", "settings"]


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


def test_the_job_says_how_much_memory_it_may_take(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    settings = replace(settings, trainer=replace(settings.trainer, max_memory=Memory(3 * 10**9)))
    first = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False)
    second = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False, most_memory_bytes=2 * 10**9)
    bounds = [Job.read(folder_of(settings.home, ended)).plan.most_memory_bytes for ended in (first, second)]
    assert bounds == [3 * 10**9, 2 * 10**9], "what was asked for beats the settings"
