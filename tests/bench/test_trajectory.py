"""A long life with promotions: what it models, what its strategies make of it, and how it is drawn."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import plot, trajectory
from bench.outcomes import Drafted, Outcome
from bench.promotions import Life, promoted

SUBJECTS = ("easy", "hard", "harder")


def question(number: int, subject: str) -> Drafted:
    """One that the local model answers right where it is easy, and the teacher nearly always."""
    embedding = np.zeros(384, dtype=np.float32)
    embedding[SUBJECTS.index(subject)] = 1.0
    local, teacher = subject == "easy" or number % 5 == 0, number % 25 != 1
    return Drafted(Outcome(f"What is {subject} of {number}?", embedding, local, teacher, subject), None)


def stream(count: int) -> list[Drafted]:
    chance = np.random.default_rng(0)
    return [question(n, SUBJECTS[kind]) for n, kind in enumerate(chance.integers(0, 3, count))]


@pytest.fixture(scope="module")
def lived() -> Life:
    return promoted(stream(700), 2, 1 / 3, np.random.default_rng(1))


@pytest.fixture(scope="module")
def played(lived: Life) -> dict[str, trajectory.Run]:
    return trajectory.runs(lived, 0.15, seed=0)


def test_a_promotion_makes_some_subjects_as_good_as_the_teacher_from_then_on(lived: Life) -> None:
    assert lived.promotions == (233, 466)
    worse = [not one.outcome.is_not_worse for one in lived.questions]
    assert sum(worse[:233]) > sum(worse[466:])
    before = stream(700)
    changed = {n for n, one in enumerate(lived.questions) if one.outcome.local != before[n].outcome.local}
    assert min(changed) >= 233
    assert all(lived.questions[n].outcome.local and lived.questions[n].outcome.teacher for n in changed)


def test_no_subject_is_improved_twice_and_none_is_harmed() -> None:
    lived = promoted(stream(400), 3, 1 / 3, np.random.default_rng(2))
    assert all(one.outcome.is_not_worse for one in lived.questions[lived.promotions[2] :])
    assert all(b.outcome.local >= a.outcome.local for a, b in zip(stream(400), lived.questions, strict=True))


def test_questions_since_a_swap_are_counted_from_the_last_promotion(lived: Life) -> None:
    assert [lived.since_swap(n) for n in (0, 232, 233, 465, 466)] == [None, None, 1, 233, 1]
    assert [lived.applied(n) for n in (0, 233, 466)] == [0, 1, 2]


def test_the_oracle_gives_no_worse_answer_and_the_teacher_alone_no_local_one(played: dict[str, trajectory.Run]) -> None:
    assert not played["oracle"].is_worse.any()
    assert not played["always forward"].is_local.any()
    assert played["oracle"].is_right.sum() >= played["always forward"].is_right.sum()


def test_the_runtime_forwards_all_at_first_and_less_at_the_end(played: dict[str, trajectory.Run]) -> None:
    for name in ("contract", "fixed thresholds"):
        is_local = played[name].is_local
        assert not is_local[:50].any()
        assert is_local[-100:].mean() > 0.25, "a third of the questions is easy"
        assert played[name].is_worse.sum() / is_local.sum() < 0.15


def test_every_question_is_paid_for_where_the_teacher_was_called(played: dict[str, trajectory.Run]) -> None:
    for run in played.values():
        assert (run.is_asked | run.is_local).all(), "somebody answered"
        assert ((run.usd > 0) == run.is_asked).all()


def test_a_life_is_drawn_and_told(
    lived: Life, played: dict[str, trajectory.Run], capsys: pytest.CaptureFixture[str]
) -> None:
    trajectory.show(lived, played)
    written = capsys.readouterr().out
    assert all(word in written for word in ("forward rate", "right answers", "usd a question", "oracle"))
    assert written.count("^") >= 2 * 3


def test_curves_stand_where_their_values_are() -> None:
    lines = plot.draw("height", {"up": [0.0, 0.5, 1.0], "flat": [0.0, 0.0, 0.0]}, marks=[1]).splitlines()
    assert lines[0] == "height"
    assert lines[1].endswith("|  u")
    assert lines[plot.HEIGHT].endswith("|uff")
    assert lines[-1].endswith("+-^-")


def test_a_life_is_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "id": str(n),
            "query": f"Is {n} even?",
            "weak_correct": n % 3 > 0,
            "strong_correct": True,
            "subject": "numbers",
        }
        for n in range(60)
    ]
    (tmp_path / "numbers_route.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    np.save(tmp_path / "emb_numbers_route.npy", np.eye(60, 384, dtype=np.float32))
    trajectory.main(["--data", str(tmp_path), "--json", "--questions", "55"])
    told = json.loads(capsys.readouterr().out)
    assert (told["questions"], len(told["promotions"])) == (55, 3)
    assert set(told["runs"]) == {"contract", "fixed thresholds", "always forward", "oracle"}
    assert told["runs"]["always forward"]["totals"]["forward rate"] == 1.0
