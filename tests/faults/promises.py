"""All that is promised, in the order of the table."""

from tests.faults import death, trainer_death
from tests.faults.promise import Promise

PROMISES: tuple[Promise, ...] = (*death.PROMISES, *trainer_death.PROMISES)
