"""Work that waits for the background, and words that wait for the user."""

from shammah.journal import Journal
from shammah.records.jobs import Job


def test_the_same_work_waits_once(journal: Journal) -> None:
    for _ in range(3):
        journal.jobs.enqueue("label", {"question": 1})
    journal.jobs.enqueue("label", {"question": 2})
    assert [job.payload["question"] for job in journal.jobs.waiting()] == [1, 2]


def test_a_finished_job_waits_no_more_and_may_be_left_again(journal: Journal) -> None:
    journal.jobs.enqueue("label", {"question": 1})
    journal.jobs.finish(journal.jobs.waiting()[0])
    assert journal.jobs.waiting() == []
    journal.jobs.enqueue("label", {"question": 1})
    assert len(journal.jobs.waiting()) == 1


def test_a_job_to_be_tried_again_waits_for_its_time_and_counts_its_attempts(journal: Journal) -> None:
    journal.jobs.enqueue("build", {"n": 1})
    job = taken(journal)
    journal.jobs.finish(job, error="no net", retry_seconds=600)
    assert journal.jobs.take(600, 5) is None
    journal.jobs.finish(job, error="no net", retry_seconds=0)
    assert taken(journal).attempts == 2


def test_waiting_for_better_times_is_no_attempt(journal: Journal) -> None:
    journal.jobs.enqueue("build", {"n": 1})
    journal.jobs.put_back(taken(journal), "on battery", 0)
    assert taken(journal).attempts == 1


def test_a_job_that_ends_its_worker_comes_back_and_not_for_ever(journal: Journal) -> None:
    journal.jobs.enqueue("build", {"n": 1})
    for attempt in range(3):
        job = journal.jobs.take(0, 3)  # and the worker is gone
        assert job is not None
        assert job.attempts == attempt + 1
    assert journal.jobs.take(0, 3) is None
    row = journal._db.execute("SELECT state, error FROM jobs").fetchone()
    assert tuple(row) == ("failed", "it ended its worker")


def taken(journal: Journal) -> Job:
    job = journal.jobs.take(600, 5)
    assert job is not None
    return job


def test_each_notice_is_handed_out_once_and_in_order(journal: Journal) -> None:
    for text in ("first", "second"):
        journal.notices.add(text)
    assert journal.notices.take() == ["first", "second"]
    assert journal.notices.take() == []
    journal.notices.add("third")
    assert journal.notices.take() == ["third"]


def test_a_flag_is_raised_once(journal: Journal) -> None:
    assert [journal.notices.raise_flag("greeted") for _ in range(2)] == [True, False]
