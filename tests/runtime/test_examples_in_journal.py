"""Which answers become examples, and in which format."""

import json

import pytest

from shammah.journal import Journal
from shammah.policy import Side
from shammah_convert import examples
from tests.kept import answer, ask, begin


def test_a_whole_teacher_answer_is_one_example_of_weight_1_in_the_designs_format(journal: Journal) -> None:
    question = ask(journal, "Why?")
    row = json.loads(examples.to_json(journal.examples.live()[0]))
    created = row.pop("created")
    assert created.endswith("Z")
    assert row.pop("id")
    assert row == {
        "prompt": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why?"}],
        "completion": [{"role": "assistant", "content": "Because."}],
        "rejected": None,
        "weight": 1.0,
        "source": "teacher",
    }
    assert len(journal.examples.live()) == len(journal.answers(question)) == 1


@pytest.mark.parametrize("finish", ["cut", "length", "refusal", "interrupted"])
def test_an_answer_that_did_not_end_properly_is_no_example(journal: Journal, finish: str) -> None:
    journal.save(begin(journal), [answer(finish=finish)])
    assert journal.examples.live() == []


def test_an_empty_teacher_answer_is_no_example(journal: Journal) -> None:
    journal.save(begin(journal), [answer(text="")])
    assert journal.examples.live() == []


def test_a_local_answer_is_no_example(journal: Journal) -> None:
    journal.save(begin(journal), [answer(Side.LOCAL)])
    assert journal.examples.live() == []


def test_every_example_passes_the_border(journal: Journal) -> None:
    for text in ("a", "b\n\u2028c"):
        ask(journal, text)
    assert list(examples.read(examples.write(journal.examples.live()))) == journal.examples.live()
