"""The order of the events that make an answer of Claude's."""

from types import SimpleNamespace

import pytest

from shammah.teacher.order import Disorder, Order

WHOLE = "message_start content_block_start:0 content_block_delta:0 content_block_stop:0 message_delta message_stop"


def take(text: str) -> Order:
    order = Order()
    for word in text.split():
        kind, _, index = word.partition(":")
        order.take(SimpleNamespace(type=kind, index=int(index or 0)))
    return order


def test_a_whole_answer_is_complete() -> None:
    assert take(WHOLE).is_complete


def test_an_answer_without_its_end_is_not() -> None:
    assert not take(WHOLE.removesuffix(" message_stop")).is_complete


def test_kinds_that_nobody_knows_yet_may_stand_anywhere() -> None:
    assert take(f"tomorrow {WHOLE.replace(' ', ' tomorrow:7 ')} tomorrow").is_complete


@pytest.mark.parametrize(
    "text",
    [
        "content_block_start:0",
        "message_stop",
        "message_delta",
        f"{WHOLE} {WHOLE}",
        f"message_start {WHOLE}",
        f"{WHOLE} content_block_start:1",
        "message_start content_block_delta:0",
        "message_start content_block_start:0 content_block_delta:1",
        "message_start content_block_start:0 content_block_start:0",
        "message_start content_block_start:0 content_block_stop:0 content_block_delta:0",
    ],
)
def test_what_makes_no_answer_is_refused(text: str) -> None:
    with pytest.raises(Disorder):
        take(text)
