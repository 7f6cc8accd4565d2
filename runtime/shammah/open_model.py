"""A local model that is open, whoever runs it, as those see it who put the parts together."""

from typing import Protocol

from shammah.divergence import Embed
from shammah.generation import Facts
from shammah.records.bases import Base
from shammah.tailoring import Model


class OpenModel(Model, Protocol):
    """A local model that is open."""

    @property
    def facts(self) -> Facts:
        """What its file says of itself."""
        ...

    @property
    def threads(self) -> int:
        """Of llama.cpp."""
        ...

    @property
    def gpu_layers(self) -> int:
        """Layers that are offloaded."""
        ...

    @property
    def context_tokens(self) -> int:
        """Of the context that is open now."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class Warm(Protocol):
    """A model and an embedder that somebody keeps open, for many at once."""

    def model(self, base: Base) -> OpenModel:
        """A view of the model, with adapters of its own.

        Raises:
            ShammahError: Another base is open.
        """
        ...

    @property
    def embed(self) -> Embed | None:
        """Turns a text into its embedding; None without an embedder."""
        ...
