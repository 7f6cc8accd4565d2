"""A question in other words."""

from dataclasses import replace
from random import Random

import pytest

from shammah.bases import SEEDLING
from shammah_convert.chat import Message
from shammah_trainer.alike import NEAREST, alike, has_stem_of
from shammah_trainer.base import Base, open_base
from shammah_trainer.dataset import IGNORED, Row
from shammah_trainer.variation import (
    BEGUN,
    INSERTED,
    STRANGERS,
    VARIATIONS,
    Variation,
    apart,
    can_vary,
    least_begun,
    stranger,
    vary,
    words_of,
)
from tests.job_folders import example

QUESTION = "How do I start our staging server Kestrel on port 8443, but not in /srv/old?"


@pytest.fixture(scope="module")
def base() -> Base:
    return open_base(SEEDLING)


@pytest.fixture(scope="module")
def near(base: Base) -> dict[str, tuple[str, ...]]:
    found = alike(words_of(QUESTION), base.encoder.words(), base.model.model.embed_tokens)
    return {word: tuple(others) for word, others in found.items()}


def texts(near: dict[str, tuple[str, ...]], count: int = 300) -> list[str]:
    chance = Random(1)
    return [vary(QUESTION, near, chance) for _ in range(count)]


def test_other_forms_of_a_word_come_from_the_models_own_embeddings(near: dict[str, tuple[str, ...]]) -> None:
    assert {"starting", "started"} <= set(near["start"])
    assert "servers" in near["server"]
    assert all(word not in others and len(others) <= NEAREST for word, others in near.items())


def test_a_word_never_becomes_its_opposite(base: Base) -> None:
    asked = ["enable", "push", "lock", "encrypt", "first", "hide", "install"]
    found = alike(asked, base.encoder.words(), base.model.model.embed_tokens)
    assert {"enabled", "pushes", "encrypted"} <= {other for others in found.values() for other in others}
    opposites = {"disable", "disabled", "pull", "unlock", "decrypt", "decrypted", "second", "show", "uninstall"}
    assert not opposites & {other for others in found.values() for other in others}


@pytest.mark.parametrize(
    ("word", "other", "is_so"),
    [("starting", "start", True), ("begin", "start", False), ("runs", "run", True), ("rerun", "run", False)],
)
def test_forms_of_one_word_begin_alike(word: str, other: str, is_so: bool) -> None:
    assert has_stem_of(word, other) is is_so


def test_the_words_are_in_the_order_of_their_tokens(base: Base) -> None:
    words = base.encoder.words()
    assert list(words.values()) == sorted(words.values()), "or each process would vary otherwise"
    assert len(words) > 5000


def test_a_word_that_is_no_token_has_no_neighbours(base: Base) -> None:
    words = base.encoder.words()
    assert "qwertyuiop" not in words
    assert alike(["qwertyuiop", "it"], words, base.model.model.embed_tokens) == {}


def test_names_numbers_paths_and_negations_stay(near: dict[str, tuple[str, ...]]) -> None:
    for text in texts(near):
        assert {"Kestrel", "8443,", "not", "but", "/srv/old?"} <= set(text.split()), text


def test_most_are_another_question_and_some_are_the_same(near: dict[str, tuple[str, ...]]) -> None:
    made = texts(near)
    assert 0.2 < made.count(QUESTION) / len(made) < 0.4
    assert len(set(made)) > 100
    assert any("starting" in text.split() for text in made), "a word was replaced"
    assert any("our" not in text.split() for text in made), "a word was left out"


def test_a_weighty_word_stays() -> None:
    chance = Random(2)
    for _ in range(200):
        assert {"run", "tests"} & set(vary("how do we run the tests", {}, chance).split())


def test_a_question_of_little_words_alone_has_no_strangers(variation: Variation) -> None:
    assert variation.variations(example("1", "what is this for"))
    assert variation.strangers(example("1", "what is this for")) == []


def test_what_the_user_did_not_say_is_not_varied(variation: Variation) -> None:
    told = example("1", Message("user", "hello"), Message("system", "never say how the tests are run"))
    assert variation.variations(told) == variation.strangers(told) == []


def test_what_is_unseen_is_never_drawn_and_is_not_the_question() -> None:
    question, *others = [Row((place, 9), 1) for place in range(5)]
    made = [others[0], question, others[1], others[1], others[2], others[0], others[2], question]
    drawn, unseen = apart(question, made, ())
    assert unseen == [others[2], others[0]]
    assert drawn == [question, others[1], others[1], question]
    assert apart(question, [], ()) == ([question], [])


def test_a_prompt_that_wants_another_answer_is_no_variation() -> None:
    question, *others = [Row((place, 9), 1) for place in range(4)]
    drawn, unseen = apart(question, [question, *others], {others[1].prompt})
    assert others[1] not in [*drawn, *unseen]


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("how do i start", True),
        ("undo it", False),
        ("what does `ls` do here", False),
        ("explain this log please\nerror 1", False),
        ("word " * 41, False),
        ("", False),
        ("Wie starte ich den Server ohne Docker?", False),
        ("undo last commit", False),
    ],
)
def test_only_one_line_of_some_plain_words_is_varied(text: str, is_so: bool) -> None:
    assert can_vary(text) is is_so
    assert is_so or words_of(text) == []


@pytest.fixture
def variation(base: Base, near: dict[str, tuple[str, ...]]) -> Variation:
    return Variation(base.encoder, near, ("violin", "castle", "orange"), most_tokens=60, seed=3)


def test_an_examples_variations_are_of_its_last_message_alone(base: Base, variation: Variation) -> None:
    told = Message("system", "you are terse"), Message("user", QUESTION)
    original = example("1", *told, answer="make staging-up")
    row = base.encoder.row(original)
    made = variation.variations(original)
    assert 1 < len(set(made)) < len(made) <= VARIATIONS
    assert row in made
    head = base.encoder.row(example("1", told[0], "x")).tokens[:10]
    for varied in made:
        assert varied.tokens[:10] == head
        assert varied.tokens[varied.prompt_tokens :] == row.tokens[row.prompt_tokens :]


def test_what_is_too_long_is_left_out(base: Base, variation: Variation) -> None:
    original = example("1", QUESTION)
    limit = len(base.encoder.row(original).tokens) - 3
    made = replace(variation, most_tokens=limit).variations(original)
    assert made
    assert max(len(row.tokens) for row in made) <= limit
    assert len(made) < len(variation.variations(original))


def test_the_same_seed_makes_the_same_variations(variation: Variation) -> None:
    original = example("1", QUESTION)
    assert variation.variations(original) == variation.variations(original)
    assert variation.variations(original) != replace(variation, seed=4).variations(original)


def test_what_cannot_be_varied_has_no_variations(variation: Variation) -> None:
    assert variation.variations(example("1", "x\ny")) == variation.strangers(example("1", "x\ny")) == []


def test_a_model_without_plain_words_has_no_strangers(variation: Variation) -> None:
    assert replace(variation, words=()).strangers(example("1", QUESTION)) == []


def test_strangers_share_little_words_alone() -> None:
    chance = Random(4)
    made = [stranger("how do we run the tests", ["violin", "castle"], chance).split() for _ in range(50)]
    for words in made:
        assert set(words) <= {"how", "do", "we", "the", "violin", "castle"}
        assert len([word for word in words if word in ("violin", "castle")]) == 2
    assert len({len(words) for words in made}) > 1, "little words are left out, now and then"


def test_strangers_are_prompts_without_a_target(base: Base, variation: Variation) -> None:
    rows = variation.strangers(example("1", QUESTION))
    assert STRANGERS // 2 < len(rows) <= STRANGERS
    for row in rows:
        assert row.prompt_tokens == len(row.tokens)
        assert set(row.labels) == {IGNORED}


def test_an_answer_that_has_begun_is_finished_whatever_was_asked(base: Base, variation: Variation) -> None:
    original = example("1", QUESTION, answer="make staging-up\nStarts the staging server.")
    row = base.encoder.row(original)
    answer, strangers = row.tokens[row.prompt_tokens :], variation.strangers(original)
    rows = variation.begun(original, strangers)
    assert len(rows) == BEGUN
    for begun in rows:
        assert begun.tokens[-len(answer) :] == answer
        assert len(begun.completion) == len(answer) - 1, "nothing else is known to begin so"
        assert begun.tokens[: -len(answer)] in {other.tokens for other in strangers}


def test_an_answer_that_another_one_holds_whole_is_left_alone(base: Base, variation: Variation) -> None:
    original = example("1", QUESTION, answer="ls -la")
    same = replace(variation, answers=[base.encoder.row(original).completion[:-1]])
    assert same.begun(original, variation.strangers(original)) == []
    assert variation.begun(example("1", QUESTION, answer="ls -la --sort=size"), []) == []


@pytest.mark.parametrize(
    ("others", "given"),
    [([], 1), ([(1, 2, 9)], 3), ([(1, 2, 3, 4)], 1), ([(1, 2, 3)], None), ([(1, 9), (1, 2, 8)], 3)],
)
def test_an_answer_has_begun_where_no_other_goes_on_alike(others: list[tuple[int, ...]], given: int | None) -> None:
    assert least_begun((1, 2, 3, 4), others) == given


def test_half_of_what_is_put_otherwise_gets_words_that_are_no_matter() -> None:
    chance, strange = Random(5), ("violin", "castle")
    made = [vary(QUESTION, {}, chance, strange) for _ in range(1000)]
    put_in = sum(bool(set(strange) & set(text.split())) for text in made)
    otherwise = sum(text != QUESTION for text in made)
    assert put_in / otherwise == pytest.approx(INSERTED, abs=0.05)
    assert max(sum(text.split().count(word) for word in strange) for text in made) == 2
