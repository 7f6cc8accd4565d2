"""A training job and its report are read as they were written, and a broken one is refused by its file's name."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from shammah_convert.intervals import Interval, of_share
from shammah_convert.job import (
    JOB,
    REPORT,
    AdapterFile,
    BadJob,
    Change,
    Confirmed,
    Job,
    Measure,
    Move,
    Plan,
    Probe,
    Report,
    Score,
)

WHOLE_JOB = Job(
    name="corrections-v3",
    version=3,
    base_path="/models/\u65e5\u672c\u8a9e.gguf",
    base_sha256="ab" * 32,
    base_name="tiny",
    examples_sha256="cd" * 32,
    threads=2,
    active=(AdapterFile("v1", "/a/v1.gguf", "ef" * 32, 0.5), AdapterFile("v2", "/a/v2.gguf", "01" * 32)),
    corrections=("one", "two"),
    seed=7,
    plan=Plan(rank=4, alpha=8.0, learning_rate=1e-3, batch_rows=2, replay_rows=0, replay_weight=0.5, most_epochs=3),
)
WHOLE_REPORT = Report(
    learnt=Change(Score(2, 3.25, 0), Score(2, 0.125, 2)),
    held_out=Change(Score(9, 1.5, 4, 0.5, Interval(1.25, 1.75)), Score(9, 1.625, 4), Interval(-0.5, 0.75)),
    epochs=5,
    steps=20,
    seconds=1.25,
    stopped="every correction is learnt",
    probes=(Probe((1, 2, 3), ((7, 1.5), (9, -0.25))), Probe((4,), ())),
    tensor_types=("F32", "Q8_0"),
    left_out=("long",),
    decision="refused",
    reasons=("it is worse",),
    merits=("it learnt",),
    general=Change(Score(48, 0.5, 40), Score(48, 0.5, 40)),
    paraphrases=Change(Score(6, 3.0, 0), Score(6, 1.0, 2)),
    drift=Move(Measure(0.25, Interval(0.125, 0.5)), Measure(0.5)),
    weight_norm=Move(Measure(), Measure(1.5)),
    losses=(3.5, 0.25),
    confirmed=Confirmed(5, 4),
)


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    WHOLE_JOB.write(tmp_path)
    assert Job.read(tmp_path) == WHOLE_JOB


def test_a_job_of_the_least_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = Job("a", 1, "/b.gguf", "s", "b", "e", threads=1)
    job.write(tmp_path)
    assert Job.read(tmp_path) == job


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    WHOLE_REPORT.write(tmp_path)
    assert Report.read(tmp_path) == WHOLE_REPORT


def test_files_appear_whole_and_alone(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("an old one")
    WHOLE_JOB.write(tmp_path)
    WHOLE_REPORT.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([JOB, REPORT])
    assert json.loads((tmp_path / JOB).read_text("utf-8"))["name"] == "corrections-v3"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    WHOLE_JOB.write(tmp_path)
    (tmp_path / f"{JOB}.partial").mkdir()  # nothing can be written there
    with pytest.raises(OSError, match="partial"):
        Job("other", 1, "/b.gguf", "s", "b", "e", threads=1).write(tmp_path)
    assert Job.read(tmp_path) == WHOLE_JOB


@pytest.mark.parametrize("data", [None, b"", b"{", b"\xff\xfe", b"[1, 2]", b'"text"', b"null", b"{}"])
def test_what_is_no_job_or_report_is_refused_by_name(tmp_path: Path, data: bytes | None) -> None:
    for name in (JOB, REPORT):
        if data is not None:
            (tmp_path / name).write_bytes(data)
    with pytest.raises(BadJob, match=r"job\.json"):
        Job.read(tmp_path)
    with pytest.raises(BadJob, match=r"report\.json"):
        Report.read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"active": None},
        {"active": 5},
        {"active": ["v1"]},
        {"active": [{"name": "v1"}]},
        {"active": [{"name": "v1", "path": "/p", "sha256": "s", "unknown": 1}]},
        {"corrections": 5},
        {"corrections": None},
        {"plan": None},
        {"plan": [16]},
        {"plan": {"rank": 16, "unknown": 1}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_job_with_a_wrong_field_is_refused_by_name(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / JOB).write_text(json.dumps(asdict(WHOLE_JOB) | change))
    with pytest.raises(BadJob, match=r"job\.json is no job"):
        Job.read(tmp_path)


@pytest.mark.parametrize("name", ["name", "base_path", "threads", "active", "corrections", "plan"])
def test_a_job_that_lacks_a_field_is_refused_by_name(tmp_path: Path, name: str) -> None:
    row = asdict(WHOLE_JOB)
    del row[name]
    (tmp_path / JOB).write_text(json.dumps(row))
    with pytest.raises(BadJob, match=r"job\.json is no job"):
        Job.read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"learnt": None},
        {"learnt": [1, 2]},
        {"learnt": {"before": {"rows": 1}}},
        {"held_out": {"before": {"words": 1}, "after": {}}},
        {"probes": 5},
        {"probes": [5]},
        {"probes": [{"tokens": [1], "top": [[1, 2, 3]]}]},
        {"probes": [{"tokens": [1], "top": [["x", "y"]]}]},
        {"tensor_types": 5},
        {"reasons": None},
        {"general": None},
        {"drift": 5},
        {"drift": {"before": {"value": 1.0}, "after": {"value": 1.0}}},
        {"confirmed": {"words": 1}},
        {"losses": 5},
        {"probes": [{"tokens": [1], "top": [[math.inf, 1.0]]}]},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_report_with_a_wrong_field_is_refused_by_name(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / REPORT).write_text(json.dumps(asdict(WHOLE_REPORT) | change))
    with pytest.raises(BadJob, match=r"report\.json is no report"):
        Report.read(tmp_path)


def test_brackets_without_an_end_are_no_job(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("[" * 9000)
    with pytest.raises(BadJob, match=r"job\.json"):
        Job.read(tmp_path)


def test_a_loss_that_is_no_number_stays_so(tmp_path: Path) -> None:
    nan = Score(1, float("nan"), 0)
    Report(Change(nan, nan), Change(nan, nan), 1, 1, 0.0, "", ()).write(tmp_path)
    assert math.isnan(Report.read(tmp_path).learnt.after.loss)


def test_a_score_knows_where_its_share_of_exact_ones_lies() -> None:
    assert Score(10, 1.0, 5).exact_interval == of_share(5, 10)
