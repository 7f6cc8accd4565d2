"""Records to and from the journal's rows."""

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np

from shammah.features import Vector
from shammah.records.questions import Answer, Question
from shammah_convert.chat import Message

ID_BYTES = 5


def now() -> str:
    """The time, UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """An id that a person can type the beginning of."""
    return secrets.token_hex(ID_BYTES)


def dump_messages(messages: Sequence[Message]) -> str:
    """A conversation as JSON."""
    return json.dumps([asdict(message) for message in messages], ensure_ascii=True)


def load_messages(text: str) -> tuple[Message, ...]:
    """A conversation from JSON."""
    return tuple(Message(**row) for row in json.loads(text))


def blob(vector: Vector | None) -> bytes | None:
    """A vector as little-endian float32 bytes."""
    return None if vector is None else vector.astype("<f4").tobytes()


def vector(blob: bytes | None) -> Vector | None:
    """A vector from its bytes."""
    return None if blob is None else np.frombuffer(blob, dtype="<f4").astype(np.float32)


def to_question(row: sqlite3.Row) -> Question:
    """A row of `questions`."""
    values = dict(row)
    for name in ("features", "embedding"):
        values[name] = vector(values[name])
    for name in ("may_go_online", "is_counted", "is_sampled"):
        values[name] = bool(values[name])
    return Question(**values | {"context": load_messages(values["context"])})


def to_answer(row: sqlite3.Row) -> Answer:
    """A row of `answers`."""
    values = dict(row) | {"features": vector(row["features"])}
    for name in ("is_shown", "is_verified"):
        values[name] = bool(values[name])
    values["adapters"] = tuple((name, scale) for name, scale in json.loads(values["adapters"]))
    return Answer(**values | {"seconds": json.loads(values["seconds"])})
