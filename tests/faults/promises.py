"""All that is promised, in the order of the table."""

from tests.faults import clock, crowd, full_disk, spoiled
from tests.faults.promise import Promise

PROMISES: tuple[Promise, ...] = (*full_disk.PROMISES, *crowd.PROMISES, *clock.PROMISES, *spoiled.PROMISES)
