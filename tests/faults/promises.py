"""All that is promised, in the order of the table."""

from tests.faults.addresses import ADDRESSES
from tests.faults.input import PROMPTS, SCREEN, STDIN, TOKENS
from tests.faults.outages import BREAKER
from tests.faults.parsers import PARSERS
from tests.faults.planted import CRASHES, SECRETS
from tests.faults.promise import Promise
from tests.faults.wire import WIRE

TEACHER = (WIRE, BREAKER, ADDRESSES)
INPUT = (STDIN, PROMPTS, PARSERS, SCREEN, TOKENS)
KEPT_SECRET = (SECRETS, CRASHES)

PROMISES: tuple[Promise, ...] = (*TEACHER, *INPUT, *KEPT_SECRET)
