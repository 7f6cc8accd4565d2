"""All that is promised, in the order of the table."""

from tests.faults.files import FILES
from tests.faults.names import NAMES
from tests.faults.poison import POISON
from tests.faults.promise import Promise
from tests.faults.templates import TEMPLATES

PROMISES: tuple[Promise, ...] = (*FILES, *NAMES, *TEMPLATES, *POISON)
