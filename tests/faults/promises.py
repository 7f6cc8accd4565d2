"""All that is promised, in the order of the table."""

from tests.faults.crashes import DEATHS
from tests.faults.floods import FLOOD
from tests.faults.input import PROMPTS, SCREEN, STDIN, TOKENS
from tests.faults.killers import KILLERS
from tests.faults.outages import BREAKER
from tests.faults.parsers import PARSERS
from tests.faults.planted import CRASHES, SECRETS
from tests.faults.promise import Promise
from tests.faults.refusals import REFUSALS
from tests.faults.soak import SOAK
from tests.faults.wire import WIRE

TEACHER = (WIRE, BREAKER)
INPUT = (STDIN, PROMPTS, PARSERS, SCREEN, TOKENS)
KEPT_SECRET = (SECRETS, CRASHES)
NATIVE = (DEATHS, KILLERS)
DAEMON = (FLOOD, REFUSALS)

PROMISES: tuple[Promise, ...] = (*TEACHER, *INPUT, *KEPT_SECRET, *NATIVE, *DAEMON, SOAK)
