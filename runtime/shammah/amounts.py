"""Amounts of memory and of money, as people write them and read them."""

import re
from dataclasses import dataclass
from typing import Self

_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_AMOUNT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([kmgt]i?)b?", re.IGNORECASE | re.ASCII)
LEAST_BYTES = 1_000_000
"""Less is a slip of the hand."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A bound on memory; 0 bytes are no bound."""

    bytes: int = 0

    @classmethod
    def read(cls, text: str) -> Self:
        """Read "3GB", "3G", "2500 MB" or "3GiB": G is 10^9, Gi is 2^30; an empty text is no bound.

        Raises:
            ValueError: It is no amount, or less than a megabyte.
        """
        if not text:
            return cls()
        found = _AMOUNT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no amount of memory")
        count = round(float(found[1]) * _UNITS[found[2].lower()])
        if count < LEAST_BYTES:
            raise ValueError(f"{text!r} is less than a megabyte")
        return cls(count)

    def __str__(self) -> str:
        """As it is read: 3GB, 2GiB, 1536.5MB; nothing where there is no bound."""
        if not self.bytes:
            return ""
        for unit in ("G", "Gi", "M"):
            if self.bytes % _UNITS[unit.lower()] == 0:
                return f"{self.bytes // _UNITS[unit.lower()]}{unit}B"
        return f"{self.bytes / _UNITS['m']:.6f}".rstrip("0") + "MB"


def gigabytes(count: int) -> str:
    """Bytes in short: 1.4 GB."""
    return f"{count / 1e9:.1f} GB"


def dollars(usd: float) -> str:
    """An amount of money; below a dollar, calls cost parts of a cent."""
    return f"${usd:.4f}" if usd < 1 else f"${usd:.2f}"
