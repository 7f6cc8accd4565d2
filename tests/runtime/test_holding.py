"""A screen for readers who can take nothing back."""

from shammah.policy import Side
from shammah.serve.holding import Hold


def held() -> tuple[Hold, list[tuple[str, Side]]]:
    sent: list[tuple[str, Side]] = []
    return Hold(lambda text, side: sent.append((text, side))), sent


def test_a_draft_waits_until_it_is_the_answer() -> None:
    hold, sent = held()
    hold.draft("git ")
    hold.draft("reset")
    assert sent == []
    hold.accept()
    assert sent == [("git reset", Side.LOCAL)]


def test_a_draft_that_is_replaced_is_never_sent() -> None:
    hold, sent = held()
    hold.draft("git reset")
    hold.discard("the validator does not vouch for it")
    hold.forwarding(0.0)
    hold.final("git revert")
    hold.accept()
    assert sent == [("git revert", Side.TEACHER)]
    assert not hold.is_broken


def test_what_is_final_is_sent_at_once() -> None:
    hold, sent = held()
    hold.final("git ")
    hold.final("reset")
    assert [text for text, _ in sent] == ["git ", "reset"]


def test_the_local_model_steps_in_where_the_teacher_said_nothing() -> None:
    hold, sent = held()
    hold.forwarding(0.0)
    hold.discard("Claude failed")
    hold.final("git reset")
    assert sent == [("git reset", Side.LOCAL)]
    assert not hold.is_broken


def test_what_was_sent_and_does_not_stand_breaks_the_answer() -> None:
    hold, sent = held()
    hold.forwarding(0.0)
    hold.final("git ")
    hold.discard("Claude failed")
    hold.final("another answer")
    assert hold.is_broken
    assert [text for text, _ in sent] == ["git "]
