"""Model files: those that are here, and those that are fetched."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Base:
    """A model file, as it was when its hash was taken.

    Attributes:
        mtime_ns: When it was written, as it says: any program can set that.
        ctime_ns: When its bytes, name or rights last changed, as the kernel says; 0 where that was not recorded.
    """

    sha256: str
    path: str
    size: int
    mtime_ns: int
    inode: int
    name: str
    architecture: str
    ctime_ns: int = 0


@dataclass(frozen=True, slots=True)
class Pull:
    """A model that is wanted, and fetched in the background.

    Attributes:
        spec: What `shammah models pull` takes.
        title: As people read it.
        bytes: Of all its files.
        done_bytes: Of them on the disk, when that was last recorded.
        attempts: That failed.
        error: Why the last of them did.
    """

    number: int
    spec: str
    title: str
    bytes: int
    done_bytes: int
    attempts: int
    error: str | None

    @property
    def percent(self) -> int:
        """How much of it is here."""
        return min(100, 100 * self.done_bytes // max(1, self.bytes))
