"""Answers that obey a grammar, a JSON schema, or a text that ends them; the same alone and among many."""

import json
from collections.abc import Iterator, Mapping

import jsonschema
import numpy as np
import pytest

from shammah import bases
from shammah.errors import BadGrammar
from shammah.generation import Completion, Finish, Sampling, collect
from shammah.local import LocalModel
from shammah.local.batch import BatchedModel
from shammah.local.grammar import Grammar, of_schema
from shammah.sampler import NEXT_BEST, NumpyPowers, Sampler
from shammah.serve.grammars import of_call
from shammah.tool_text import Tool, read_said
from shammah_convert.chat import Message

QUESTION = [Message("user", "how do i undo the last commit but keep the changes")]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "kind": {"enum": ["file", "folder"]}},
    "required": ["name", "kind"],
    "additionalProperties": False,
}

Model = LocalModel | BatchedModel


@pytest.fixture(scope="module", params=["alone", "among many"])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    opened = LocalModel(bases.SEEDLING) if request.param == "alone" else BatchedModel(bases.SEEDLING, lambda: 1)
    with opened as model:
        yield model


def answer(model: Model, sampling: Sampling) -> Completion:
    return collect(model.stream(QUESTION, sampling))


@pytest.mark.parametrize(
    ("grammar", "wanted"),
    [('root ::= "yes" | "no"', {"yes", "no"}), ("root ::= [a-c] [0-9]", {f"{a}{b}" for a in "abc" for b in range(10)})],
)
def test_an_answer_is_of_its_grammar(model: Model, grammar: str, wanted: set[str]) -> None:
    done = answer(model, Sampling(20, grammar=grammar))
    assert done.text in wanted
    assert done.end.finish is Finish.STOP


def test_a_draw_is_of_its_grammar_too(model: Model) -> None:
    sampling = [Sampling(20, 1.5, seed, grammar="root ::= [0-9] [0-9]") for seed in range(6)]
    found = {answer(model, one).text for one in sampling}
    assert len(found) > 1
    assert all(text.isdigit() and len(text) == 2 for text in found)


def test_an_answer_is_json_of_its_schema(model: Model) -> None:
    done = answer(model, Sampling(80, schema=PERSON))
    assert done.end.finish is Finish.STOP
    jsonschema.validate(json.loads(done.text), PERSON)


@pytest.mark.parametrize(
    "grammar",
    [
        'start ::= "a"',
        "root ::= other",
        "nonsense",
        "root ::= root",
        "root ::= " + "(" * 9999,
        '"' * 300000,
    ],
)
def test_a_grammar_that_is_none_is_named(model: Model, grammar: str) -> None:
    with pytest.raises(BadGrammar):
        model.stream(QUESTION, Sampling(20, grammar=grammar))


@pytest.mark.parametrize(
    "schema", [{"type": "unheard-of"}, {"$ref": "#/nowhere"}, {"type": "string", "pattern": "no anchors"}, {"enum": 3}]
)
def test_a_schema_that_makes_no_grammar_is_named(model: Model, schema: Mapping[str, object]) -> None:
    with pytest.raises(BadGrammar, match="schema"):
        model.stream(QUESTION, Sampling(20, schema=schema))


def test_bounds_are_kept_however_wide_they_are(model: Model) -> None:
    numbers = {"type": "array", "items": {"enum": [1, 2]}, "minItems": 298, "maxItems": 300}
    words = {"type": "string", "minLength": 398, "maxLength": 400}
    schema = {"type": "object", "properties": {"a": numbers, "b": words}, "required": ["a", "b"]}
    done = answer(model, Sampling(900, 1.0, 1, schema=schema))
    assert done.end.finish is Finish.STOP
    jsonschema.validate(json.loads(done.text), schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}, "maxItems": 10**12},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string", "minLength": 10**12}]}}},
        {"type": "string", "pattern": "^((a{999}){999}){999}$"},
    ],
)
def test_a_schema_that_counts_too_far_is_named_before_it_fills_the_memory(schema: Mapping[str, object]) -> None:
    with pytest.raises(BadGrammar, match="counts to"):
        of_schema(schema)


SOME: dict[str, object] = {
    "type": "object",
    "properties": {
        "path": {"enum": ["a", "b"]},
        "flags": {"type": "array", "items": {"enum": [1, 2]}},
        "more": {"type": "object", "properties": {"deep": {"type": "boolean"}, "wide": {"type": "boolean"}}},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize("required", [[], ["more"], ["path", "flags"]])
def test_a_call_has_arguments_of_its_schema(model: Model, required: list[str]) -> None:
    schema = SOME | {"required": required}
    drawn = [Sampling(400, 1.0, seed, grammar=of_call([Tool("look", "", schema)])) for seed in range(4)]
    said = [answer(model, sampling) for sampling in drawn]
    calls = [call for done in said if done.end.finish is Finish.STOP for call in read_said(done.text, {"look"})[1]]
    assert calls, "none ended"
    for call in calls:
        jsonschema.validate(call.arguments, schema)


def test_a_call_of_many_fields_within_fields_has_a_small_grammar() -> None:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(8):
        fields = {f"field{number}": {"type": "string"} for number in range(20)}
        schema = {"type": "object", "properties": {**fields, "inner": schema}}
    assert len(of_call([Tool("look", "", schema)])) < 40_000


def test_an_answer_ends_before_a_stop_text(model: Model) -> None:
    free = answer(model, Sampling(60)).text
    stop = free[5:9]
    done = answer(model, Sampling(60, stop=("never in it", stop)))
    assert (done.text, done.end.finish) == (free[: free.index(stop)].strip(), Finish.STOP)


def test_free_answers_are_as_before_beside_a_grammar(model: Model) -> None:
    free = answer(model, Sampling(60))
    answer(model, Sampling(60, grammar='root ::= "yes"'))
    again = answer(model, Sampling(60))
    assert again.text == free.text


class Odd:
    """Allows odd tokens from a place on."""

    def __init__(self, least: int) -> None:
        self.least, self.asked = least, 0

    def allows(self, tokens: "np.typing.NDArray[np.int32]") -> "np.typing.NDArray[np.bool_]":
        self.asked += len(tokens)
        return np.asarray((tokens % 2 == 1) & (tokens >= self.least))

    def accept(self, token: int) -> None:
        """Nothing changes."""


@pytest.mark.parametrize("least", [0, 990], ids=["soon found", "found among all"])
def test_the_best_of_the_allowed_tokens_is_chosen(least: int) -> None:
    logits = np.linspace(4.0, -4.0, 1000, dtype=np.float32)
    rules = Odd(least)
    token, _ = Sampler(Sampling(1), NumpyPowers(1000), rules).choose(logits)
    assert token == max(1, least + 1)
    assert rules.asked == 1 + NEXT_BEST + (1000 if least else 0)


def test_a_grammar_without_a_way_on_is_named() -> None:
    sampler = Sampler(Sampling(1), NumpyPowers(10), Odd(100))
    with pytest.raises(BadGrammar, match="no token"):
        sampler.choose(np.zeros(10, np.float32))


def test_a_draw_within_a_grammar_has_the_odds_of_the_allowed_tokens() -> None:
    logits = np.log(np.array([0.5, 0.1, 0.1, 0.3], np.float32))
    draws = [Sampler(Sampling(1, 1.0, seed), NumpyPowers(4), Odd(0)).choose(logits)[0] for seed in range(2000)]
    # Of the allowed 1 and 3 the second has 0.3 / 0.4; four standard deviations of 2,000 draws are 0.039.
    assert draws.count(3) / len(draws) == pytest.approx(0.75, abs=0.039)
    assert set(draws) == {1, 3}


def test_a_grammar_says_which_tokens_may_come() -> None:
    with LocalModel(bases.SEEDLING) as model:
        digits = [model.weights.tokenize(str(digit))[-1] for digit in range(10)]
        grammar = Grammar(model.weights.vocabulary, "root ::= [5-9] [0-4]")
        tokens = np.array(digits, np.int32)
        assert grammar.allows(tokens).tolist() == [False] * 5 + [True] * 5
        grammar.accept(digits[7])
        assert grammar.allows(tokens).tolist() == [True] * 5 + [False] * 5
