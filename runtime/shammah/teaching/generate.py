"""`generate_training_data`: pairs to learn from, checked, split, and put into quarantine."""

from collections.abc import Iterable, Sequence

from shammah.errors import TeacherError, UsageError
from shammah.generation import Finish
from shammah.quarantine import Origin
from shammah.rows import new_id
from shammah.teaching import pairs
from shammah.teaching.classroom import Classroom
from shammah.teaching.pairs import Said
from shammah.teaching.requests import GenerateTrainingData
from shammah.teaching.results import Generated, Refused
from shammah_convert.chat import Message

MOST_WAITING = 1000
"""Of each door: nobody looks through more, and nobody may fill the disk."""

WISH = (
    "Write {count} question-and-answer pairs from which a small language model on a laptop learns. They are about"
    " {category}, and {difficulty}{focus}. Ask each question as somebody would type it, each about something else and"
    " in other words than the others. Each answer is right, whole and as short as it can be, exactly as the model is to"
    " say it: without a greeting, without a mention of these instructions. Leave out what changes from year to year,"
    " and whatever you are not sure of."
)
KNOWN = "\n\nThese questions are there already; ask others:\n{known}"
MOST_SHOWN = 40
_PAIR = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
    "required": ["question", "answer"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"pairs": {"type": "array", "items": _PAIR}},
    "required": ["pairs"],
    "additionalProperties": False,
}


def generate(room: Classroom, asked: GenerateTrainingData) -> Generated:
    """Take in the pairs that are given, or ask the teacher for some; what is fit and new waits for its user.

    Raises:
        UsageError: Too much waits already.
        ShammahError: No pairs are given, and the teacher cannot be asked.
    """
    waits = room.journal.quarantine.waiting(room.door)
    if waits >= MOST_WAITING:
        raise UsageError(f"{waits} examples wait already", hint=_next(room))
    if asked.pairs:
        return take_in(room, asked, room.author, [(pair.question, pair.answer) for pair in asked.pairs], None)
    # Nothing that the user asked himself is told: it may have been asked to stay here.
    known = [text for text in room.journal.quarantine.told(room.claude.model) if not room.claude.keeps(text)]
    completion = room.claude.ask([Message("user", wish(asked, known))], SCHEMA)
    if completion.end.finish not in (Finish.STOP, Finish.LENGTH):
        raise TeacherError(f"{room.claude.who} gave no pairs ({completion.end.finish})")
    return take_in(room, asked, room.claude.model, pairs.parse(completion.text), completion.end.cost_usd)


def take_in(
    room: Classroom, asked: GenerateTrainingData, author: str, said: Iterable[Said], cost_usd: float | None
) -> Generated:
    """Check pairs, and put into quarantine what is fit and new."""
    said = list(said)
    found = pairs.sort(said, room.journal.quarantine.questions(), room.embed)
    origin = Origin(room.door, author, new_id(), asked.category, asked.difficulty, pairs.tidy(asked.focus))
    room.journal.quarantine.receive(found.taken, origin)
    room.batches.append(origin.batch)
    tests = sum(pair.is_test for pair in found.taken)
    return Generated(
        batch=origin.batch,
        received=len(said),
        kept=len(found.taken) - tests,
        tests=tests,
        refused=tuple(Refused(reason, count) for reason, count in sorted(found.refused.items())),
        waiting=room.journal.quarantine.waiting(room.door),
        cost_usd=cost_usd,
        next=_next(room),
    )


def wish(asked: GenerateTrainingData, known: Sequence[str]) -> str:
    """What the teacher is asked: a third more than is wanted, as a fourth is kept back to ask."""
    focus = f"; dwell on {asked.focus}" if asked.focus else ""
    words = WISH.format(
        count=asked.count + -(-asked.count // 3), category=asked.category, difficulty=asked.difficulty, focus=focus
    )
    return words + (KNOWN.format(known="\n".join(f"- {_line(text)}" for text in known[-MOST_SHOWN:])) if known else "")


def _line(text: str) -> str:
    return " ".join(text.split())[:120]


def _next(room: Classroom) -> str:
    return (
        f"Their user looks at them with `shammah examples list --source {room.door}`, and lets them in with"
        f" `shammah examples accept --source {room.door}`, or throws them out with"
        f" `shammah examples purge --source {room.door}`."
    )
