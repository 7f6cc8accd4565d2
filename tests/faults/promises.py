"""All that is promised, in the order of the table."""

from tests.faults.crashes import CRASHES
from tests.faults.floods import FLOOD
from tests.faults.killers import KILLERS
from tests.faults.promise import Promise
from tests.faults.refusals import REFUSALS
from tests.faults.soak import SOAK

PROMISES: tuple[Promise, ...] = (CRASHES, KILLERS, FLOOD, REFUSALS, SOAK)
