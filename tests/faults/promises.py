"""All that is promised, in the order of the table."""

from tests.faults import clock, crowd, death, full_disk, spoiled, trainer_death
from tests.faults.addresses import ADDRESSES
from tests.faults.crashes import DEATHS
from tests.faults.daemon_death import DAEMON as KILLED_DAEMON
from tests.faults.files import FILES
from tests.faults.floods import FLOOD
from tests.faults.input import PROMPTS, SCREEN, STDIN, TOKENS
from tests.faults.killers import KILLERS
from tests.faults.names import NAMES
from tests.faults.outages import BREAKER
from tests.faults.parsers import PARSERS
from tests.faults.planted import CRASHES, SECRETS
from tests.faults.poison import POISON
from tests.faults.promise import Promise
from tests.faults.refusals import REFUSALS
from tests.faults.soak import SOAK
from tests.faults.templates import TEMPLATES
from tests.faults.wire import WIRE
from tests.faults.worker_death import WORKER

DEATH = (*death.PROMISES, *trainer_death.PROMISES, KILLED_DAEMON, WORKER)
DISK = (*full_disk.PROMISES, *crowd.PROMISES, *clock.PROMISES, *spoiled.PROMISES)
SOUND_FILES = (*FILES, *NAMES, *TEMPLATES)
NATIVE = (DEATHS, KILLERS)
TEACHER = (WIRE, BREAKER, ADDRESSES)
INPUT = (STDIN, PROMPTS, PARSERS, SCREEN, TOKENS)
DAEMON = (FLOOD, REFUSALS)
KEPT_SECRET = (SECRETS, CRASHES)

PROMISES: tuple[Promise, ...] = (
    *DEATH, *DISK, *SOUND_FILES, *NATIVE, *TEACHER, *INPUT, *DAEMON, *POISON, *KEPT_SECRET, SOAK
)  # fmt: skip
