"""What came of a training, to be read: as words, as JSON, as a page; all from the files of its job folder."""

from dataclasses import dataclass
from pathlib import Path

from shammah_convert.job import Job, Report

PAGE = "report.html"


@dataclass(frozen=True, slots=True)
class Filed:
    """A report with the job that it is of."""

    job: Job
    report: Report

    @property
    def heading(self) -> str:
        """What it is a report of, and how it ended."""
        return f"{self.job.name}: {self.report.decision or 'not decided'}"


def read(folder: Path) -> Filed:
    """The report of a job folder.

    Raises:
        BadJob: There is none, or it cannot be read.
    """
    return Filed(Job.read(folder), Report.read(folder))
