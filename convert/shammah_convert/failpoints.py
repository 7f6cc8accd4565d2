"""Places at which a process can be made to die, so that what is promised of kill -9 can be tried at each of them.

`SHAMMAH_FAILPOINT=promotion.before_commit` kills whoever gets there, as `kill -9` does; with `:3` behind it, when it
gets there for the third time. Without the variable a place is one look into the environment, and nothing happens.
"""

import os
import signal
from collections import Counter

VARIABLE = "SHAMMAH_FAILPOINT"

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Be at a place; the process ends here, at once, where the environment says so."""
    wanted, _, count = os.environ.get(VARIABLE, "").partition(":")
    if name != wanted:
        return
    _reached[name] += 1
    if _reached[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
