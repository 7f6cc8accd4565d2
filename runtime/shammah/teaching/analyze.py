"""`analyze_model`: how the local model does on questions that it never learns from."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from shammah import categories, divergence
from shammah.errors import ContextTooLong
from shammah.freezing import freeze
from shammah.generation import Sampling
from shammah.quarantine import TestQuestion
from shammah.sides import LocalSide
from shammah.teaching import advice, pairs
from shammah.teaching.classroom import Classroom
from shammah.teaching.requests import AnalyzeModel
from shammah.teaching.results import Analysis
from shammah.topics import Topic

MOST_TOKENS = 512
RECENT = 200
"""So many of the user's last questions tell what he asks about."""
MOST_ASKED = 3


def analyze(room: Classroom, asked: AnalyzeModel) -> Analysis:
    """Ask the test questions, and compare the answers with the references.

    Raises:
        ShammahError: The local model cannot be opened.
    """
    wanted = set(asked.categories)
    chosen = [test for test in _first(tests(room), asked.most) if not wanted or test.category in wanted]
    outcomes = list(_outcomes(room, chosen))
    return advice.analysis(outcomes, tuple(asked.categories) or _asked_about(room))


def active_key(room: Classroom) -> str:
    """What is active now, as the key of what was heard with it."""
    return json.dumps(room.journal.adapters.active(room.base.sha256))


def tests(room: Classroom) -> list[TestQuestion]:
    """All test questions: the quarantine's, and those of Claude's plain answers that trainings hold out.

    What any training has learnt from, or is to learn from, is none.
    """
    journal, limits = room.journal, room.settings.examples
    frozen, learnt = freeze(journal, limits.feedback, limits.teacher), journal.trainings.learnt()
    to_learn = {pairs.plain(example.prompt[-1].content) for example in frozen.learnt}
    held_out = [
        TestQuestion(e.id, str(categories.of_conversation(e.prompt)), e.prompt, e.completion[0].content)
        for e in frozen.held_out
    ]
    found = [*journal.quarantine.tests(), *held_out]
    return [t for t in found if t.id not in learnt and pairs.plain(t.prompt[-1].content) not in to_learn]


def _first(found: Sequence[TestQuestion], most: int) -> Iterator[TestQuestion]:
    """So many of each category, the oldest first: the same ones again next time."""
    counts: Counter[str] = Counter()
    for test in found:
        counts[test.category] += 1
        if counts[test.category] <= most:
            yield test


def _outcomes(room: Classroom, chosen: Sequence[TestQuestion]) -> Iterator[tuple[str, bool]]:
    active = active_key(room)
    with room.answering() as local:
        for test in chosen:
            key = (test.id, active)
            if key not in room.heard:
                room.heard[key] = _is_right(room, local, test)
            yield test.category, room.heard[key]


def _is_right(room: Classroom, local: LocalSide, test: TestQuestion) -> bool:
    try:
        said = local.complete(test.prompt, Sampling(MOST_TOKENS), lambda _: None)
    except ContextTooLong:
        return False
    return divergence.measure(said.text, test.reference, room.embed).is_small


def _asked_about(room: Classroom) -> tuple[str, ...]:
    """What the user asks about most, for a model that has no test questions yet."""
    counts = Counter(categories.of_conversation(question.context) for question in room.journal.recent(RECENT))
    counts.pop(Topic.GREETING, None)
    often = tuple(str(topic) for topic, _ in counts.most_common(MOST_ASKED))
    return often or (str(Topic.CODE), str(Topic.GENERAL))
