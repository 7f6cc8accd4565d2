"""Which model a server runs, as far as it tells: its name, and what else it says of the weights.

A name alone is not enough: llama-server's `--alias` and vLLM's `--served-model-name` stay where the weights change.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Weights:
    """Numbers that another model has otherwise, as llama-server tells them; 0 where nobody does.

    Attributes:
        parameters: In all tensors of the file.
        size_bytes: Of all tensors.
        vocabulary: Tokens.
    """

    parameters: int = 0
    size_bytes: int = 0
    vocabulary: int = 0

    @classmethod
    def read(cls, row: Any) -> "Weights":
        """Of llama-server's `meta` in its list of models; it is null while a model is being loaded."""
        told = row if isinstance(row, Mapping) else {}
        return cls(*(_count(told.get(name)) for name in ("n_params", "size", "n_vocab")))


@dataclass(frozen=True, slots=True)
class Identity:
    """A model as its server tells it from others.

    Attributes:
        name: What the server calls it.
        source: Where its weights come from: llama-server's file, vLLM's root; of Ollama's their digest. Empty where
            nothing but the name is told.
    """

    name: str
    source: str = ""
    weights: Weights = field(default_factory=Weights)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "Identity":
        """As a card keeps it.

        Raises:
            ValueError, LookupError, TypeError: It is none.
        """
        return cls(str(row["model"]), str(row.get("source", "")), Weights(**row.get("weights", {})))

    def as_row(self) -> dict[str, Any]:
        """As a card keeps it."""
        return {"model": self.name, "source": self.source, "weights": asdict(self.weights)}

    @property
    def sha256(self) -> str:
        """What it is known by: all that is told of it, hashed."""
        told = f"a model that a server calls {self.name}"
        if self.source or any(astuple(self.weights)):
            told = json.dumps([told, self.source, *astuple(self.weights)])
        return hashlib.sha256(told.encode()).hexdigest()

    def differs(self, other: "Identity") -> bool:
        """Whether another one is surely another model: what both tell is not the same."""
        mine, theirs = self._told(), other._told()
        return any(one and two and one != two for one, two in zip(mine, theirs, strict=True))

    def _told(self) -> tuple[str | int, ...]:
        return (self.name, self.source, *astuple(self.weights))

    def beside(self, other: "Identity") -> str:
        """What it is called where another one is named beside it, perhaps by the same name."""
        return f"{self.name} ({self.source})" if self.name == other.name and self.source else self.name


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
