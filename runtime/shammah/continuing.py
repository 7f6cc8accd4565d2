"""Whether a training may go on from what is active: nothing in that may come from an example that is live no more."""

from pathlib import Path

from shammah.journal import Journal
from shammah.memory import job_folder
from shammah.records.adapters import Adapter
from shammah_convert.job import BadJob, Job


def is_sound(home: Path, journal: Journal, base: str) -> bool:
    """Whether all that ever shaped what is active on a base is still to be learnt.

    What was dropped, erased or rejected since would live on in the adapter, and of one that came from outside nobody
    knows what it has learnt: then a training starts afresh.
    """
    live = frozenset(example.id for example in journal.examples.live())
    found = [journal.adapters.find(name) for name, _ in journal.adapters.active(base)]
    return bool(found) and all(_is_shaped_by(adapter, live, home, journal) for adapter in found)


def _is_shaped_by(adapter: Adapter | None, live: frozenset[str], home: Path, journal: Journal) -> bool:
    """Whether an adapter, and those that it went on from, learnt from live examples alone."""
    if adapter is None or adapter.training is None:
        return False
    learnt = journal.adapters.examples(adapter)
    if not learnt or not set(learnt) <= live:
        return False
    job = _job(job_folder(home, adapter.training))
    if job is None:
        return False
    before = job.active if job.plan.continues else ()
    parents = (journal.adapters.of_file(file.sha256, adapter.base) for file in before)  # renamed or not
    return all(_is_shaped_by(parent, live, home, journal) for parent in parents)


def _job(folder: Path) -> Job | None:
    """What was asked of a training; None where that is gone."""
    try:
        return Job.read(folder)
    except BadJob:
        return None
