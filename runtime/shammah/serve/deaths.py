"""Pure: may an engine that died be started again."""

from dataclasses import dataclass, replace

MOST_AT_LOAD = 2
"""So often in a row a model may kill the engine that opens it."""

MOST_DEATHS, WINDOW_SECONDS = 5, 60.0
"""So many deaths within so long a time are no chance: it is left alone for a while."""

Stamp = tuple[int, int, int]
"""Size, time and inode of a file."""


@dataclass(frozen=True, slots=True)
class Deaths:
    """How an engine has died so far.

    Attributes:
        at: When, the last ones.
        at_load: How often in a row while it opened the model.
        stamp: Of the model file that it was opening then.
    """

    at: tuple[float, ...] = ()
    at_load: int = 0
    stamp: Stamp | None = None

    def one_more(self, now: float, stamp: Stamp | None, is_at_load: bool) -> "Deaths":
        """It has died again."""
        before = self.at_load if stamp == self.stamp else 0
        return Deaths((*self.at, now)[-MOST_DEATHS:], before + 1 if is_at_load else 0, stamp)

    def opened(self) -> "Deaths":
        """It has opened the model."""
        return replace(self, at_load=0)

    def refuses(self, stamp: Stamp | None) -> bool:
        """Whether the file is not to be opened again, as it is."""
        return self.at_load >= MOST_AT_LOAD and stamp == self.stamp

    def rest_seconds(self, now: float) -> float:
        """How long it is left alone."""
        return max(0.0, self.at[0] + WINDOW_SECONDS - now) if len(self.at) == MOST_DEATHS else 0.0
