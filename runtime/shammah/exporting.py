"""Examples for other trainers: rows that TRL's SFTTrainer and DPOTrainer read as they are."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from shammah.journal import Journal
from shammah.journal.log import EVERYTHING, Filter
from shammah.privacy import says_the_same
from shammah_convert.chat import Message
from shammah_convert.examples import Example

Form = Literal["sft", "dpo"]
Row = dict[str, Any]
# JSON lets them stand as they are: a terminal would obey some, and some readers end a line at others.
_SPECIAL = re.compile("[\x7f-\x9f\u2028\u2029]")


def rows(journal: Journal, form: Form, wanted: Filter = EVERYTHING) -> Iterator[Row]:
    """What there is to learn, oldest first.

    SFT: a conversation and its completion. DPO: beside the wanted answer the rejected one, which comes from a user or
    from a judge, never from the validator.
    """
    numbers = _numbers(journal, wanted)
    live = [example for example in journal.examples.live() if _is_meant(journal, example, numbers)]
    if form == "sft":
        yield from map(_sft, live)
        return
    for example in live:
        if example.rejected is not None:
            yield _dpo(example, example.rejected, "user")
        elif (rejected := _graded_lower(journal, example)) is not None:
            yield _dpo(example, (Message("assistant", rejected),), "judge")


def write(found: Iterable[Row]) -> str:
    """Rows as JSON lines."""
    return "".join(_SPECIAL.sub(_escaped, json.dumps(row, ensure_ascii=False)) + "\n" for row in found)


def _numbers(journal: Journal, wanted: Filter) -> set[int] | None:
    """The questions that are meant; None means all, also those whose question is gone."""
    return None if wanted == EVERYTHING else {question.number for question in journal.log.find(None, wanted)}


def _is_meant(journal: Journal, example: Example, numbers: set[int] | None) -> bool:
    if numbers is None:
        return True
    question = journal.examples.question(example.id)
    return question is not None and question.number in numbers


def _graded_lower(journal: Journal, example: Example) -> str | None:
    """What the judge found worse than an example's target; None where that is nothing, or the same text."""
    found = journal.judgements.rejected_for(example.id)
    return None if found is None or says_the_same(found, _said(example.completion)) else found


def _sft(example: Example) -> Row:
    # Without `rejected`, also where it is null: TRL tells the kinds of data sets by the names of their columns.
    return {"prompt": _messages(example.prompt), "completion": _messages(example.completion)} | _about(example)


def _dpo(example: Example, rejected: tuple[Message, ...], by: str) -> Row:
    answers = {"chosen": _messages(example.completion), "rejected": _messages(rejected)}
    return {"prompt": _messages(example.prompt)} | answers | _about(example) | {"rejected_by": by}


def _about(example: Example) -> Row:
    return {"id": example.id, "weight": example.weight, "source": example.source, "created": example.created}


def _messages(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _said(messages: Iterable[Message]) -> str:
    return "".join(message.content for message in messages)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
