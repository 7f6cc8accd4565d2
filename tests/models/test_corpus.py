"""The corpus and the evaluation keep their rules."""

from random import Random

import pytest

from models.seedling import augment
from models.seedling.phrasings import (
    REFUSAL,
    Intent,
    Overlap,
    grams,
    is_right,
    read_cases,
    read_intents,
    read_out_of_scope,
    training_intents,
)

LONGEST_LINE = 110


@pytest.fixture(scope="module")
def intents() -> tuple[Intent, ...]:
    return read_intents()


@pytest.fixture(scope="module")
def trained() -> tuple[Intent, ...]:
    """The intents with the phrasings that the recipe trains on."""
    return training_intents()


@pytest.fixture(scope="module")
def cases() -> dict[str, tuple[str, ...]]:
    return read_cases()


def test_there_are_300_intents(intents: tuple[Intent, ...]) -> None:
    assert len(intents) >= 300


def test_each_intent_has_40_distinct_phrasings_to_train_on(trained: tuple[Intent, ...]) -> None:
    few = {intent.id: len(set(intent.phrasings)) for intent in trained if len(set(intent.phrasings)) < 40}
    assert few == {}


def test_no_phrasing_asks_for_two_things(intents: tuple[Intent, ...]) -> None:
    owners: dict[str, set[str]] = {}
    for intent in intents:
        for phrasing in intent.phrasings:
            owners.setdefault(phrasing, set()).add(intent.id)
    assert {phrasing: ids for phrasing, ids in owners.items() if len(ids) > 1} == {}


def test_no_two_intents_share_a_first_line(intents: tuple[Intent, ...]) -> None:
    lines = [intent.first_line for intent in intents]
    assert sorted(set(lines)) == sorted(lines)


def test_answers_are_short_plain_ascii(intents: tuple[Intent, ...]) -> None:
    long = [i.id for i in intents if any(len(line) > LONGEST_LINE for line in i.answer.split("\n"))]
    assert long == []
    assert all(intent.answer.isascii() and "`" not in intent.first_line[:1] for intent in intents)


def test_each_intent_has_5_evaluation_phrasings(intents: tuple[Intent, ...], cases: dict[str, tuple[str, ...]]) -> None:
    few = {i.id: len(cases.get(i.id, ())) for i in intents if i.id != REFUSAL and len(cases.get(i.id, ())) < 5}
    assert few == {}


def test_each_evaluation_phrasing_belongs_to_an_intent(
    intents: tuple[Intent, ...], cases: dict[str, tuple[str, ...]]
) -> None:
    assert set(cases) - {intent.id for intent in intents} == set()


def test_no_evaluation_phrasing_is_near_a_training_phrasing(
    trained: tuple[Intent, ...], cases: dict[str, tuple[str, ...]]
) -> None:
    overlap = Overlap(phrasing for intent in trained for phrasing in intent.phrasings)
    asked = [question for questions in cases.values() for question in questions]
    near = [(q, *overlap.nearest(q)) for q in [*asked, *read_out_of_scope()]]
    assert [found for found in near if found[1] >= 0.5] == []


def test_the_recipe_trains_on_nearly_all_of_the_corpus(
    intents: tuple[Intent, ...], trained: tuple[Intent, ...]
) -> None:
    written, kept = (sum(len(intent.phrasings) for intent in some) for some in (intents, trained))
    assert 0.9 * written < kept < written


def test_there_are_100_questions_out_of_scope() -> None:
    assert len(read_out_of_scope()) >= 100


def test_the_overlap_is_the_jaccard_of_4_grams() -> None:
    texts = ["list all files", "show the files here", "delete a branch"]
    question = "list the files"
    expected = max(len(grams(question) & grams(t)) / len(grams(question) | grams(t)) for t in texts)
    assert Overlap(texts).nearest(question)[0] == pytest.approx(expected)


def test_an_answer_is_right_whatever_its_spacing_and_explanation() -> None:
    intent = Intent("x", "x", "ls -la\nLists.", ("ls -al",), ())
    assert [is_right(said, intent) for said in ("ls  -la\nOther words", "ls -al", "ls -l", "")] == [
        True,
        True,
        False,
        False,
    ]


def test_the_same_seed_varies_alike() -> None:
    texts = [[augment.vary("how do i delete a folder", Random(seed)) for seed in range(50)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 15


def test_a_slip_changes_a_word_by_one_place() -> None:
    slips = {augment.misspell("folder", Random(seed)) for seed in range(100)}
    assert len(slips) > 8
    assert all(abs(len(slip) - 6) <= 1 for slip in slips)
