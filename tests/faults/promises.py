"""All that is promised, in the order of the table."""

from tests.faults.promise import Promise

PROMISES: tuple[Promise, ...] = ()
