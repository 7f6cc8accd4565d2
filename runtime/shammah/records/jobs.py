"""Jobs: what is left for the worker."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """Work for the background."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int
