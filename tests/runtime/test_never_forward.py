"""What `privacy.never_forward` matches stays on this machine, whichever path could lead it to the teacher."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shammah import config
from shammah.assistant import Assistant
from shammah.errors import ConfigError, StaysHere
from shammah.feedback import Feedback, may_hear, rate
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.judging import Judge
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.paraphrasing import Paraphraser
from shammah.patterns import Patterns
from shammah.policy import Side
from shammah.rates import SamplingRates
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer, Question
from shammah.rewriting import TargetFinder
from shammah.settings import Settings
from shammah.sides import TeacherSide
from shammah.turn import Outcome, Request, is_private
from shammah_convert.chat import Message
from tests.scripted import Recorder, Scripted, local_side, teacher_side

LINEAGE = "f" * 64
NEVER = Patterns(("acme", "project [xyz]"))
ALWAYS = SamplingRates(to_100=1.0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as opened:
        yield opened


def teacher_of(generator: Scripted) -> TeacherSide:
    return replace(teacher_side(generator), stays_here=NEVER)


def ask(journal: Journal, teacher: Scripted, text: str, **request: Any) -> Outcome:
    heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
    assistant = Assistant(journal, heads, local_side(Scripted("ls")), teacher_of(teacher), rates=ALWAYS)
    return assistant.ask(Request(text, "session", **request), Recorder())


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("what does ACME sell", {}),
        ("and why?", {"history": (Message("user", "about Project X"), Message("assistant", "yes"))}),
        ("and why?", {"history": (Message("user", "hm"), Message("assistant", "ask acme"))}),
        ("list files", {"system": "You work for Acme."}),
        ("list files at acme", {"forced": Side.LOCAL}),
        ("and why?", {"is_private": True}),
        ("and why?", {"sampling": Sampling(stop=("Acme",))}),
        ("and why?", {"sampling": Sampling(schema={"type": "string", "enum": ["acme"]})}),
    ],
)
def test_a_conversation_that_matches_is_answered_here_and_never_compared(
    journal: Journal, text: str, request_: dict[str, Any]
) -> None:
    teacher = Scripted("from claude")
    outcome = ask(journal, teacher, text, **request_)
    assert (outcome.answer.side, outcome.answer.reason) == ("local", "private")
    assert not outcome.question.may_go_online, "the row says so"
    assert not outcome.question.is_counted
    assert journal.jobs.waiting() == []
    assert teacher.asked == []


def test_another_question_goes_on_as_before(journal: Journal) -> None:
    assert ask(journal, Scripted("from claude"), "what does Acne mean").text == "from claude"


def test_the_teacher_cannot_be_forced_and_the_setting_is_named(journal: Journal) -> None:
    teacher = Scripted("from claude")
    with pytest.raises(StaysHere, match=r"privacy\.never_forward") as caught:
        ask(journal, teacher, "what does acme sell", forced=Side.TEACHER)
    assert "config show privacy.never_forward" in caught.value.hint
    assert teacher.asked == []
    assert not journal.recent(1)[0].may_go_online


def test_a_secret_that_matches_keeps_the_conversation_here_though_it_is_replaced(journal: Journal) -> None:
    outcome = ask(journal, Scripted("x"), "why is password=acme2Grow!x refused")
    assert "acme" not in outcome.question.text
    assert not outcome.question.may_go_online
    assert is_private(outcome.answer)


def known(journal: Journal, text: str = "what does acme sell") -> Question:
    """A question of before the setting, which could have gone online; the local answer was rejected."""
    question = journal.begin("here", LINEAGE, [Message("user", text)], 0, True)
    journal.save(question, [NewAnswer("local", True, "anvils", "local_confident", "stop", "m", (), False, 1, 1, {})])
    return question


def test_an_older_question_is_not_compared(journal: Journal) -> None:
    teacher = Scripted("from claude")
    heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
    side = teacher_of(teacher)
    comparison = Comparison(journal, heads, local_side(Scripted("ls")), side, None, Sampling(10), "auto")
    assert label(comparison, known(journal)) is None
    assert teacher.asked == []


def test_a_judge_does_not_hear_of_it(journal: Journal) -> None:
    teacher = Scripted('{"reason": "x", "first": 4, "second": 4}')
    question = known(journal)
    (local,) = journal.answers(question)
    assert Judge(journal, teacher_of(teacher))(question, local, local) is None
    assert teacher.asked == []


@pytest.mark.parametrize(("text", "note"), [("what does acme sell", "be short"), ("what do they sell", "ask acme")])
def test_a_rewrite_is_left_to_the_local_model(journal: Journal, text: str, note: str) -> None:
    rate(journal, known(journal, text), Feedback(Rating.CRITICAL, note), has_teacher=True)
    correction = journal.ratings.correction(journal.jobs.waiting()[0].payload["rating"])
    assert correction is not None
    teacher = Scripted("from claude")
    finder = TargetFinder(journal, local_side(Scripted("hammers")), teacher_of(teacher), None, Sampling(10))
    assert finder.find(correction) == "self"
    assert teacher.asked == []


def test_no_example_of_it_is_said_in_other_words(journal: Journal) -> None:
    for text in ("what does acme sell", "list files"):
        rate(journal, known(journal, text), Feedback(Rating.CRITICAL, "", f"answer to {text}"), has_teacher=False)
    teacher = Scripted("1. show files")
    (found,) = Paraphraser(journal, teacher_of(teacher))(journal.examples.live())
    assert found.prompt[-1].content == "show files"
    assert "acme" not in str(teacher.asked)


def settings(home: Path, text: str = "", **variables: str) -> Settings:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)
    return config.load({"SHAMMAH_HOME": str(home), **variables})


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ('[privacy]\nnever_forward = ["acme", "project [xyz]"]\n', {}),
        ("", {"SHAMMAH_PRIVACY_NEVER_FORWARD": '["acme", "project [xyz]"]'}),
        ("", {"SHAMMAH_PRIVACY_NEVER_FORWARD": "acme\nproject [xyz]"}),
    ],
)
def test_patterns_come_from_the_file_and_from_the_environment(
    tmp_path: Path, text: str, variables: dict[str, str]
) -> None:
    assert settings(tmp_path / "home", text, **variables).privacy.never_forward == NEVER


def test_a_pattern_may_look_like_a_list(tmp_path: Path) -> None:
    found = settings(tmp_path, SHAMMAH_PRIVACY_NEVER_FORWARD="[0-9]{8}").privacy.never_forward
    assert found.texts == ("[0-9]{8}",)
    assert found.match("case 12345678") == "[0-9]{8}"


@pytest.mark.parametrize("pattern", ["(acme", "*acme", " ", "[z-a]", "[" * 9000])
def test_a_pattern_that_is_none_is_named_with_the_key(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"privacy\.never_forward") as caught:
        settings(tmp_path, f"[privacy]\nnever_forward = ['acme', '{pattern}']\n")
    assert repr(pattern) in str(caught.value) or "empty" in str(caught.value)
    assert "config.toml" in str(caught.value)


@pytest.mark.parametrize("value", ["3", "true", "[1]", '{ a = "b" }'])
def test_what_is_no_list_of_texts_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, f"[privacy]\nnever_forward = {value}\n")
    assert "a list of regular expressions" in caught.value.hint or "is unknown" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'the tool says {"firm": "M\\u00fcller"}',
        'the tool says {"firm": "M\\\\u00fcller"}',
        "the file is Mu\u0308ller.txt",
        '{"path": "m\u00fcller\\/x"}',
    ],
)
def test_a_pattern_is_found_however_a_tool_writes_it(text: str) -> None:
    assert Patterns(("m\u00fcller",)).match(text)
    assert Patterns(("mu\u0308ller",)).match(text)


def test_a_pattern_is_found_over_the_lines_of_a_tools_argument() -> None:
    assert Patterns((r"acme\s+corp",)).match('{"text": "about acme\\ncorp"}')
    assert Patterns((r"c:\\acme",)).match('{"file": "C:\\\\Acme"}')


@pytest.mark.parametrize("note", ["ask acme", "as in password=acme2Grow!x"])
def test_a_note_that_matches_is_not_for_the_teacher(journal: Journal, note: str) -> None:
    question = known(journal, "list files")
    assert not may_hear(Feedback(Rating.CRITICAL, note), question, NEVER)
    assert may_hear(Feedback(Rating.CRITICAL, "be short"), question, NEVER)
