"""A question's category: every row of the table, what wins over what, and no other language breaks it."""

import pytest

from shammah import categories
from shammah.topics import Topic
from shammah_convert.chat import Message

QUESTIONS = [
    ("hi", Topic.GREETING),
    ("Good morning, Shammah!", Topic.GREETING),
    ("thanks, that helped", Topic.GREETING),
    ("Who was the first president of Portugal?", Topic.GENERAL),
    ("What is a cellar?", Topic.GENERAL),
    ("Recommend me a book for the summer", Topic.GENERAL),
    ("How many apples are left if Tom eats 3 of 12?", Topic.MATH),
    ("12 * 7 + 3", Topic.MATH),
    ("Prove that the square root of 2 is irrational", Topic.MATH),
    ("How do I list files?", Topic.CODE),
    ("hello, how do I list files?", Topic.CODE),
    ("undo the last git commit", Topic.CODE),
    ("what does `ls -la` do", Topic.CODE),
    ("why does dict.items() fail", Topic.CODE),
    ("How many lines has this file?", Topic.CODE),
    ("Why do planets move in ellipses?", Topic.SCIENCE),
    ("What do enzymes do?", Topic.SCIENCE),
    ("Should we scale with microservices or a monolith?", Topic.ARCHITECTURE),
    ("Which design pattern fits?", Topic.ARCHITECTURE),
    ("Is this open to SQL injection?", Topic.SECURITY),
    ("How do I store OAuth tokens?", Topic.SECURITY),
    ("Explain the security of this architecture", Topic.SECURITY),
    ("Why is this query so slow?", Topic.PERFORMANCE),
    ("Speed up my Python loop", Topic.PERFORMANCE),
    ("", Topic.OTHER),
    ("asdf qwer", Topic.OTHER),
    ("Wie heißt die Hauptstadt?", Topic.OTHER),
    ("今日の天気は", Topic.OTHER),
    ("\udc80\x00", Topic.OTHER),
]


@pytest.mark.parametrize(("question", "expected"), QUESTIONS)
def test_a_question_has_the_category_of_the_table(question: str, expected: Topic) -> None:
    assert categories.topic(question) is expected


def test_the_table_knows_every_category() -> None:
    assert {expected for _, expected in QUESTIONS} == set(Topic)


def said(*texts: str) -> list[Message]:
    return [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (said("Is this open to SQL injection?", "No.", "and what about the other one?"), Topic.SECURITY),
        (said("Is this open to SQL injection?", "No.", "how do I list files?"), Topic.CODE),
        (said("hello", "The security of my architecture is good.", "and you?"), Topic.GENERAL),
        ([Message("system", "You are a security expert."), *said("what is a cellar?")], Topic.GENERAL),
        ([], Topic.OTHER),
    ],
)
def test_a_follow_up_is_about_what_was_asked_before(context: list[Message], expected: Topic) -> None:
    assert categories.of_conversation(context) is expected


def test_a_very_long_text_is_read_in_part() -> None:
    assert categories.topic("x " * 1_000_000 + "security") is Topic.OTHER
