"""What is erased is nowhere any more: not in the journal's file, not in a copy, not in the heads."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shammah import aside, copies, erasing
from shammah.asked import OFFERED
from shammah.checkpoints import Keeper
from shammah.divergence import Divergence, Method
from shammah.errors import EraseBusy, EraseFailed
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES, VERSION
from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.locks import TRAINING, only_one
from shammah.policy import Reason, Side
from shammah.records.adapters import Adapter
from shammah.records.examples import Rating
from shammah.records.heads import View
from shammah.records.questions import Judgement, NewAnswer, Question
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile, Job, Plan
from tests import clocks

LINEAGE = "0123456789abcdef" * 4
EACH = 2
"""Lessons that a question brings each head: by the comparison, and by the rating."""

SECRET, OTHER = "the heron nests by the old mill", "how many rooms has the lighthouse"
ANSWER = NewAnswer(Side.LOCAL, True, "", Reason.OFFLINE, "stop", "small", (), False, 1, 1, {}, feature_version=VERSION)


def home(journal: Journal) -> Path:
    return journal.path.parent


def ask(journal: Journal, text: str, before: tuple[Message, ...] = ()) -> Question:
    """A question that was asked, answered, compared, judged, rated and paid for."""
    chance = np.random.default_rng(len(text))
    context = [*before, Message("user", text)]
    question = journal.begin("here", LINEAGE, context, 0, True)
    hand = chance.normal(size=len(QUESTION_FEATURES)).astype(np.float32)
    question = journal.note_route(question, hand, np.ones(384, dtype=np.float32), 0.5)
    seen = chance.normal(size=len(ANSWER_FEATURES)).astype(np.float32)
    local = replace(ANSWER, text=f"{text}, I think", features=seen)
    teacher = replace(ANSWER, side=Side.TEACHER, is_shown=False, text=f"{text}, I know", features=None)
    answers = journal.save(question, [local, teacher], ("label", {"question": question.number}))
    journal.lessons.teach(question, answers[0], Divergence(0.4, Method.SEMANTIC), is_good=False)
    journal.judgements.record(Judgement(answers[0].id, answers[1].id, 1, True, 2, 5, f"says {text}", "claude", 0.01))
    rate(journal, question, Feedback(Rating.CRITICAL, f"note on {text}", f"better: {text}"), has_teacher=False)
    journal.notices.add(f"Claude has another answer to “{text}”: shammah log show {question.id}")
    assert journal.spending.reserve(0.25, 9.0, question) is not None
    return question


def frozen(journal: Journal, question: Question, number: int) -> Path:
    """The job folder of a training that learnt from a question, and the adapter that came of it."""
    id = next(k.example.id for k in journal.examples.all() if k.example.prompt == question.context and k.rating)
    training = journal.trainings.begin(LINEAGE, is_forced=False)
    assert training is not None
    assert training.number == number
    journal.trainings.start(training, [id])
    folder = home(journal) / "jobs" / str(number)
    folder.mkdir(parents=True)
    (folder / "examples.jsonl").write_text(json.dumps({"id": id, "text": question.text}))
    path = home(journal) / "adapters" / f"v{number}.gguf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"GGUF")
    adapter = Adapter(f"corrections-v{number}", LINEAGE, str(path), "ab" * 32, None, {}, "2026-11-20", number)
    journal.trainings.promote(training, adapter)
    return folder


def erase(journal: Journal, *questions: Question) -> erasing.Erasure:
    erasure = erasing.plan(home(journal), journal, [question.number for question in questions])
    erasing.carry_out(home(journal), journal, erasure, "bayes")
    return erasure


def holding(folder: Path, words: str) -> list[str]:
    """The files in which words stand."""
    return [file.name for file in folder.rglob("*") if file.is_file() and words.encode() in file.read_bytes()]


def count(journal: Journal, table: str) -> int:
    return int(journal._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_adapters_that_went_on_from_one_that_learnt_it_are_named_too(journal: Journal) -> None:
    gone, kept = ask(journal, SECRET), ask(journal, OTHER)
    frozen(journal, gone, 1)
    frozen(journal, kept, 2)
    folder = frozen(journal, kept, 3)
    for number, mark in ((2, "cd"), (3, "ef")):
        with journal._db.write() as db:
            db.execute("UPDATE adapters SET sha256 = ? WHERE training = ?", (mark * 32, number))
    for number, went_on in ((2, False), (3, True)):
        before = (AdapterFile("any name", "/any", "ab" * 32),)
        job = Job(f"v{number}", number, "", LINEAGE, "", "", 1, before, plan=Plan(continues=went_on))
        job.write(folder.with_name(str(number)))
    assert erase(journal, gone).adapters == ("corrections-v1", "corrections-v3")


def test_with_everything_goes_what_was_typed(journal: Journal) -> None:
    ask(journal, SECRET)
    files = [home(journal) / name for name in ("history.jsonl", "history.jsonl.partial")]  # half of it, after a kill
    for file in files:
        file.write_text(json.dumps("/critical no") + "\n")
    erasing.carry_out(home(journal), journal, erasing.plan_everything(home(journal), journal), "bayes")
    assert not any(file.exists() for file in files)


def test_one_answer_is_erased_with_all_that_was_derived_from_it(journal: Journal) -> None:
    kept, gone = ask(journal, OTHER), ask(journal, SECRET)
    folders = [frozen(journal, question, number) for number, question in enumerate((kept, gone), start=1)]
    (home(journal) / "worker.log").write_text(f"question {gone.id}: judged {SECRET}\nquestion {kept.id}: {OTHER}\n")
    typed = home(journal) / "history.jsonl"
    typed.write_text(f"{json.dumps(SECRET)}\n{json.dumps(OTHER)}\nno json\n")
    assert holding(home(journal), SECRET)

    erasure = erase(journal, gone)
    assert typed.read_text() == f"{json.dumps(OTHER)}\nno json\n"
    assert holding(home(journal), SECRET) == []
    assert holding(home(journal), OTHER)
    assert [folder.exists() for folder in folders] == [True, False]
    assert erasure.adapters == ("corrections-v2",)
    tables = ("questions", "answers", "examples", "ratings", "judgements", "lessons", "jobs", "notices", "spending")
    assert [count(journal, table) for table in tables] == [1, 2, 2, 1, 1, 4, 1, 1, 2]
    assert journal._db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert journal.spending.usd_today() == 0.5, "what was spent stays spent"


def test_what_was_replaced_long_ago_is_overwritten_too(journal: Journal) -> None:
    question = ask(journal, OTHER)
    journal._db.execute("PRAGMA secure_delete = OFF")  # as the journals of earlier versions were written
    rate(journal, question, Feedback(Rating.CRITICAL, "", f"{SECRET} {'x' * 20_000}"), has_teacher=False)
    rate(journal, question, Feedback(Rating.CRITICAL, "", "something else"), has_teacher=False)
    assert holding(home(journal), SECRET) == ["shammah.db"], "a free page still holds it"
    journal._db.execute("PRAGMA secure_delete = ON")
    erase(journal, question)
    assert holding(home(journal), SECRET) == []


def test_what_goes_on_from_an_erased_question_holds_its_words_and_goes_too(journal: Journal) -> None:
    first = ask(journal, SECRET)
    said = Message("assistant", f"{SECRET}, I think")
    second = ask(journal, "and why is that", (*first.context, said))
    ask(journal, "and since when", (*second.context, Message("assistant", "and why is that, I think")))
    another = ask(journal, "and there", (*first.context, Message("assistant", "an answer that was never given")))
    erasure = erase(journal, first)
    assert (len(erasure.doomed.questions), erasure.doomed.followers) == (3, 2)
    assert [question.number for question in journal.log.find()] == [another.number]


def test_instructions_and_numbers_of_placeholders_hide_no_follower(journal: Journal) -> None:
    first = ask(journal, "is <SECRET_1> right")
    before = (
        Message("system", "Be short."),
        Message("user", "is <SECRET_2> right"),
        Message("assistant", "is <SECRET_2> right, I think"),
    )
    ask(journal, "why", before)
    assert erasing.plan(home(journal), journal, [first.number]).doomed.followers == 1


def test_the_heads_are_what_they_would_be_without_the_erased_lessons(journal: Journal, tmp_path: Path) -> None:
    texts = ["one", "two and", "three and more", "four and even more"]
    questions = [ask(journal, text) for text in texts]
    heads = Heads(home(journal), journal, LINEAGE, "bayes")
    for name in ("router", "validator"):
        heads.open(name)
    erase(journal, questions[1], questions[3])
    with Journal(tmp_path / "never") as never:
        for text in (texts[0], texts[2]):
            ask(never, text)
        expected = Heads(tmp_path / "never", never, LINEAGE, "bayes").open("router")
    found = heads.open("router")
    assert found.lessons == expected.lessons == 2 * EACH
    np.testing.assert_array_equal(found.learner.weights, expected.learner.weights)


def test_after_the_newest_lessons_are_erased_new_ones_are_learnt_once(journal: Journal) -> None:
    for text in ("one", "two and"):
        ask(journal, text)
    heads = Heads(home(journal), journal, LINEAGE, "bayes")
    heads.reset("router")  # learns from what comes after the second question
    last = ask(journal, "three and more")
    assert heads.open("router").lessons == EACH
    erase(journal, *journal.log.find(2))
    last_kept = max(journal.lessons.last(name, LINEAGE) for name in ("router", "validator"))
    assert heads.open("router").lessons == 0
    ask(journal, last.text)  # SQLite gives its lessons the numbers of the erased ones
    assert heads.open("router").lessons == EACH
    assert heads.refit("router").lessons == EACH
    assert journal.heads.view(LINEAGE, "router") == View(1, ((last_kept, None),), inherits=False)


def test_checkpoints_that_had_learnt_from_it_go_and_earlier_ones_stay(journal: Journal) -> None:
    ask(journal, OTHER)
    keeper = Keeper(home(journal), journal, Heads(home(journal), journal, LINEAGE, "bayes"), LINEAGE)
    early = keeper.make("early")
    gone = ask(journal, SECRET)
    late = keeper.make("late")
    erase(journal, gone)
    assert journal.checkpoints.all() == [early]
    assert [Path(checkpoint.folder).exists() for checkpoint in (early, late)] == [True, False]


def test_everything_is_erased_but_money_models_and_settings(journal: Journal) -> None:
    folder = frozen(journal, ask(journal, SECRET), 1)
    (home(journal) / "config.toml").write_text("offline = true\n")
    Heads(home(journal), journal, LINEAGE, "bayes").open("router")
    (home(journal) / "cache").mkdir()
    for name in ("general-abc.jsonl", "minilm-l6-v2.q8_0.gguf"):
        (home(journal) / "cache" / name).write_text("x")
    erasing.carry_out(home(journal), journal, erasing.plan_everything(home(journal), journal), "bayes")
    assert holding(home(journal), SECRET) == []
    assert not folder.exists()
    kept = {str(file.relative_to(home(journal))) for file in home(journal).rglob("*") if file.is_file()}
    assert {"config.toml", "shammah.db", "cache/minilm-l6-v2.q8_0.gguf"} <= kept
    assert kept <= {"config.toml", "shammah.db", "cache/minilm-l6-v2.q8_0.gguf", "training.lock", "worker.lock"}
    assert (journal.spending.usd_today(), journal.log.find(), journal.adapters.all()) == (0.25, [], [])
    ask(journal, OTHER)
    assert Heads(home(journal), journal, LINEAGE, "bayes").open("router").lessons == EACH


def test_a_model_that_was_agreed_to_still_comes_and_is_not_offered_again(journal: Journal) -> None:
    wanted = journal.pulls.want("qwen2.5-1.5b", "Qwen2.5 1.5B", 1_000)
    for flag in (OFFERED, "teacher_announced"):
        journal.notices.raise_flag(flag)
    erasing.carry_out(home(journal), journal, erasing.plan_everything(home(journal), journal), "bayes")
    assert journal.pulls.open_one() == wanted
    assert [journal.notices.has_flag(flag) for flag in (OFFERED, "teacher_announced")] == [True, False]


def test_a_copy_that_cannot_be_deleted_is_said_and_a_second_try_goes_on(journal: Journal) -> None:
    gone = ask(journal, SECRET)
    folder = frozen(journal, gone, 1)
    shutil.rmtree(folder)
    folder.write_text("no folder, as a test that root may run needs something that cannot be deleted as one")
    with pytest.raises(EraseFailed, match="not all of it"):
        erase(journal, gone)
    folder.unlink()
    erase(journal, gone)
    assert holding(home(journal), SECRET) == []


def test_earlier_copies_of_the_database_go_too_and_are_counted(journal: Journal) -> None:
    question = ask(journal, SECRET)
    copies.before_change(journal.path, 1)
    aside.keep(journal.path)
    folder = home(journal) / "checkpoints" / "1.aside-20261126T120000-000000000"
    folder.mkdir(parents=True)
    (folder / "router.npz").write_text(SECRET)
    erasure = erase(journal, question)
    assert len(erasure.copies) == 2
    assert holding(home(journal), "heron") == []
    assert not folder.exists()


def test_a_checkpoint_from_before_the_clock_was_set_back_goes_too(journal: Journal) -> None:
    question = ask(journal, SECRET)
    back = clocks.shift(-clocks.DAY)
    try:
        keeper = Keeper(home(journal), journal, Heads(home(journal), journal, LINEAGE, "bayes"), LINEAGE)
        made = keeper.make("a day earlier")
    finally:
        back()
    assert made.created < question.created
    assert erase(journal, question).checkpoints == (made,)


def test_nothing_is_erased_under_a_training(journal: Journal) -> None:
    gone = ask(journal, SECRET)
    with only_one(home(journal) / TRAINING), pytest.raises(EraseBusy, match="training"):
        erase(journal, gone)
    assert [question.id for question in journal.log.find()] == [gone.id]


def test_a_question_without_lessons_leaves_heads_and_checkpoints_alone(journal: Journal) -> None:
    ask(journal, OTHER)
    heads = Heads(home(journal), journal, LINEAGE, "bayes")
    heads.open("router")
    before = heads.file("router").stat().st_mtime_ns
    plain = journal.begin("here", LINEAGE, [Message("user", SECRET)], 0, True)
    erasure = erase(journal, plain)
    assert (erasure.doomed.lessons, erasure.checkpoints) == (0, ())
    assert heads.file("router").stat().st_mtime_ns == before
    assert holding(home(journal), SECRET) == []
