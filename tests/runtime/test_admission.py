"""Who may take memory beside what runs: answering always wins, the background waits, and a refusal has numbers."""

import pytest

from shammah.admission import (
    RUN_BYTES,
    TRAINER_BYTES,
    Decision,
    Go,
    Pause,
    Postpone,
    Purpose,
    Refuse,
    Running,
    Wish,
    admit,
    model_bytes,
    training_bytes,
)
from shammah_convert.attention import Attention

GB = 10**9
TRAINING = Running(3, 2_100_000_000)
BACKGROUND = "a background run takes 1.6 GB of RAM, 1.5 GB are free"
START = "training takes 1.6 GB of RAM, 1.5 GB are free"
HELD = ", and training 3 holds 2.1 GB"

# (purpose, does somebody wait, available GB, training) -> decision, for a wish of 1.6 GB.
TABLE: list[tuple[Purpose, bool, float, Running | None, Decision]] = [
    ("answering", True, 1.7, None, Go()),
    ("answering", True, 1.7, TRAINING, Go()),
    ("answering", True, 1.6, TRAINING, Go()),
    ("answering", True, 1.5, None, Go()),
    ("answering", True, 1.5, TRAINING, Pause(TRAINING)),
    ("answering", True, 0.0, TRAINING, Pause(TRAINING)),
    ("answering", False, 0.0, TRAINING, Pause(TRAINING)),
    ("background", False, 1.6, None, Go()),
    ("background", False, 1.6, TRAINING, Go()),
    ("background", False, 1.5, None, Postpone(BACKGROUND)),
    ("background", False, 1.5, TRAINING, Postpone(BACKGROUND + HELD)),
    ("training", True, 1.6, None, Go()),
    ("training", True, 1.5, None, Refuse(START)),
    ("training", False, 1.5, None, Postpone(START)),
    ("training", False, 1.5, TRAINING, Postpone(START + HELD)),
]


@pytest.mark.parametrize(("purpose", "is_awaited", "available", "training", "decision"), TABLE)
def test_each_wish_has_its_decision(
    purpose: Purpose, is_awaited: bool, available: float, training: Running | None, decision: Decision
) -> None:
    wish = Wish(purpose, 1_600_000_000, is_awaited)
    assert admit(wish, int(available * GB), training) == decision


@pytest.mark.parametrize("available", [0, 1, GB, 64 * GB])
@pytest.mark.parametrize("training", [None, TRAINING])
def test_answering_is_never_refused_and_never_waits(available: int, training: Running | None) -> None:
    assert isinstance(admit(Wish("answering", 8 * GB), available, training), Go | Pause)


def test_a_model_takes_its_file_its_cache_and_room_to_compute() -> None:
    qwen = Attention(layers=28, kv_heads=2, head_size=128, context_tokens=32768)
    assert model_bytes(GB, qwen, 8192) == GB + 8192 * 28 * 2 * 128 * 2 * 2 + RUN_BYTES
    assert model_bytes(GB, qwen, 10**6) == model_bytes(GB, qwen, 32768), "no context is longer than it was trained for"


def test_on_8_gb_a_1_5b_answers_beside_its_training_only_while_that_stands_still() -> None:
    # 8 GB, of which a desktop leaves 4; the training of a 1.5B, as it was planned, holds 2.6 GB.
    qwen, file_bytes = Attention(28, 2, 128, 32768), 986_000_000
    wish, training = Wish("answering", model_bytes(file_bytes, qwen, 8192), is_awaited=True), Running(1, 2_600_000_000)
    assert admit(wish, 4 * GB, None) == Go()
    assert admit(wish, 4 * GB - training.bytes, training) == Pause(training)
    assert training_bytes(file_bytes) == file_bytes + TRAINER_BYTES < 4 * GB
