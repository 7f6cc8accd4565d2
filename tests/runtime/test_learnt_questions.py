"""An adapter that was trained here speaks where it has learnt something, and the bare model elsewhere."""

import numpy as np
import pytest

from shammah.generation import ActiveSet, Sampling, collect
from shammah.quarantine import Origin, Pair
from shammah.records.adapters import Adapter
from shammah.tailoring import Tailor, Tailored, tie
from shammah_convert.chat import Message
from tests.lora_files import BASE_SHA256, TOKENS
from tests.runtime.test_tailoring import RUST, Home, correct, embed, home, train

__all__ = ["home"]


def ask(home: Home, *texts: str, least: float = 0.5) -> ActiveSet:
    """What answers the last of some questions of a conversation, without domains."""
    tailored = Tailored(home.model, Tailor(home.journal, BASE_SHA256, "off", embed, least), home.said.append)
    messages = [Message("user", text) for text in texts]
    return collect(tailored.stream(messages, Sampling(max_tokens=2))).end.adapters


def test_what_is_near_to_something_learnt_is_answered_by_it_and_all_else_by_the_bare_model(home: Home) -> None:
    correct(home, "borrow crate")
    active = ((train(home, "b"), 1.0),)
    bare = home.folder.fresh()
    for text, expected in {"crate": active, "list files": (), "a crate to borrow": active, "invoice": ()}.items():
        assert ask(home, text) == expected, text
        files = [home.folder.file("b", scale) for _, scale in expected]
        np.testing.assert_array_equal(home.model.logits(TOKENS), home.folder.fresh(*files) if files else bare)


@pytest.mark.parametrize(("least", "is_near"), [(0.0, True), (0.7, True), (0.71, False), (1.0, False)])
def test_how_near_is_a_setting(home: Home, least: float, is_near: bool) -> None:
    correct(home, "borrow crate")
    name = train(home, "b")
    assert ask(home, "crate", least=least) == (((name, 1.0),) if is_near else ())  # the cosine is 0.707


def test_a_follow_up_belongs_to_its_conversation_and_may_ask_for_something_learnt(home: Home) -> None:
    correct(home, "borrow crate")
    active = ((train(home, "b"), 1.0),)
    assert ask(home, "and now?") == ()
    assert ask(home, "borrow a crate", "and now?") == active
    shop = "invoice of a customer, and its billing"
    assert ask(home, shop, "borrow a crate") == active
    begun = [Message("user", shop), Message("user", "borrow a crate"), Message("assistant", "the answer begins")]
    assert Tailor(home.journal, BASE_SHA256, "off", embed, 0.5).suiting(begun) == active


def test_what_came_from_outside_speaks_everywhere(home: Home) -> None:
    home.use(("a", 1.0))
    assert ask(home, "list files") == (("a", 1.0),)
    correct(home, "borrow crate")
    name = train(home, "b")
    home.use((name, 1.0), ("a", 0.5))
    assert ask(home, "list files") == ((name, 1.0), ("a", 0.5)), "nobody knows what the other one is for"


def test_what_was_trained_while_something_from_outside_was_active_speaks_everywhere(home: Home) -> None:
    correct(home, "borrow crate")
    training = home.journal.trainings.begin(BASE_SHA256, is_forced=False)
    assert training
    home.journal.trainings.start(training, [example.id for example in home.journal.examples.live()])
    file = home.folder.file("b")
    made = Adapter("v1", BASE_SHA256, file.path, file.sha256, "a+gone", {}, "2026-02-01", training.number)
    home.journal.trainings.promote(training, made)
    assert ask(home, "list files") == (("v1", 1.0),)


def test_what_was_learnt_and_is_dropped_is_spoken_of_no_more(home: Home) -> None:
    correct(home, "borrow crate")
    correct(home, "invoice")
    active = ((train(home, "b"), 1.0),)
    assert ask(home, "invoice") == active
    home.journal.examples.drop(home.journal.examples.live()[-1].id)
    assert ask(home, "invoice") == ()
    assert ask(home, "borrow a crate") == active
    home.journal.examples.drop(home.journal.examples.live()[-1].id)
    assert ask(home, "borrow a crate") == ()


def test_an_embedding_is_made_once_and_kept_with_its_example(home: Home) -> None:
    correct(home, "borrow crate")
    name = train(home, "b")
    ask(home, "list files")
    [kept] = home.journal.domains.learnt(((name, 1.0),)) or []
    assert kept.embedding is not None
    np.testing.assert_array_equal(kept.embedding, embed("borrow crate"))


def test_an_embedding_that_a_question_was_routed_by_is_taken(home: Home) -> None:
    correct(home, "borrow crate")
    home.journal.note_embedding(home.journal.question_at(1), embed("invoice"))
    [known] = home.journal.domains.learnt(((train(home, "b"), 1.0),)) or []
    assert known.embedding is not None
    np.testing.assert_array_equal(known.embedding, embed("invoice"))


def test_what_was_taught_and_never_asked_is_learnt_as_well(home: Home) -> None:
    home.journal.quarantine.receive([Pair("borrow crate", "let it go")], Origin("teach", "tester", "batch", "code"))
    home.journal.quarantine.accept("teach")
    active = ((train(home, "b"), 1.0),)
    assert ask(home, "a crate to borrow") == active
    assert ask(home, "invoice") == ()


def test_what_was_taught_makes_a_domain(home: Home) -> None:
    pairs = [Pair(text, "so it is") for text in RUST]
    home.journal.quarantine.receive(pairs, Origin("teach", "tester", "batch", "code"))
    home.journal.quarantine.accept("teach")
    adapter = home.journal.adapters.find(train(home, "b"))
    assert adapter
    assert tie(home.journal, adapter, embed).questions == len(RUST)


def test_a_domain_goes_before_what_is_near(home: Home) -> None:
    correct(home, "borrow crate")
    name = train(home, "b")
    home.tie("a", RUST)
    tailor = Tailor(home.journal, BASE_SHA256, "nearest", embed, 0.5)
    assert tailor.suiting([Message("user", RUST[1])]) == (("a", 1.0),)
    assert tailor.suiting([Message("user", "borrow crate")]) == ((name, 1.0),), "a correction that a has not learnt"
    assert tailor.suiting([Message("user", "list files")]) == ()
