"""A server that is open may run another model by now: it is looked at again, seldom, and whenever it hints at one."""

import math
import time
from collections.abc import Callable

from shammah.compatible.looking import Server
from shammah.errors import ModelServerError, NotServed

AGAIN_SECONDS = 15.0
"""Between two looks: one takes a request or two, which a server on this machine answers within milliseconds."""


class Watch:
    """Keeps an eye on the model that a server runs."""

    def __init__(self, look: Callable[[], Server]) -> None:
        """Take what looks at the server: it raises `ServedAnew` where another model runs."""
        self._look = look
        self._last = time.monotonic()
        self._also_called: set[str] = set()

    def check(self) -> None:
        """Look where the last look was long ago.

        Raises:
            NotServed: It runs another model by now.
        """
        if time.monotonic() - self._last < AGAIN_SECONDS:
            return
        try:
            self.look()
        except NotServed:
            raise
        except ModelServerError:  # whoever asks it next hears that
            return

    def look(self) -> Server:
        """Look now.

        Raises:
            ModelServerError: It does not answer; `NotServed` where it runs another model by now.
        """
        try:
            found = self._look()
        except ModelServerError:
            self.doubt()
            raise
        self._last = time.monotonic()
        return found

    def doubt(self) -> None:
        """Look before the next request: a server that failed may have been started anew, with another model."""
        self._last = -math.inf

    def heed(self, named: str, asked: str) -> None:
        """Take note of what an answer says that it is from; a name that was not asked for may be another model's.

        Some servers say their own name for what they list by several.

        Raises:
            ModelServerError: It is another model's, or nobody can tell.
        """
        if named not in ("", asked) and named not in self._also_called:
            self.look()
            self._also_called.add(named)
