"""What models and prices are known: catalog.toml as records."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shammah_convert.attention import Attention

# A machine sold as "8 GB" reports less: the nearest size within 15% counts.
RAM_TOLERANCE = 1.15


@dataclass(frozen=True, slots=True)
class Price:
    """List price in US dollars a million tokens, for prompts up to a length."""

    input: float
    output: float
    prompt_tokens_at_most: int | None = None

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """The price of one call; None where the catalog has none for so long a prompt."""
        if self.prompt_tokens_at_most is not None and prompt_tokens > self.prompt_tokens_at_most:
            return None
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class EmbedderSource:
    """Where the sentence embedder's weights come from, and their hash."""

    repository: str
    revision: str
    package: str
    weights: str
    sha256: str
    vocabulary: str


@dataclass(frozen=True, slots=True)
class Model:
    """An official GGUF on the model hub.

    Attributes:
        name: As people type it.
        title: As people read it.
        file: Of a split model the first part.
        size_bytes: Of all parts; the hub's own word counts where something hangs on it.
        licence: As the hub names it, such as "apache-2.0".
        shape: What its key-value cache depends on.
        ram_gb: The machine that it is proposed for; None where it is only there to be chosen.
    """

    name: str
    title: str
    repository: str
    file: str
    quantization: str
    size_bytes: int
    licence: str
    shape: Attention
    ram_gb: int | None = None


def price_of(model: str) -> Price | None:
    """The list price of a teacher; None where the catalog does not know it."""
    row = _catalog()["teacher"]["prices"].get(model)
    return Price(**row) if row else None


def dearest_price() -> Price:
    """The highest price known: what an unknown teacher is reserved at, so that no budget is overrun."""
    prices = [Price(**row) for row in _catalog()["teacher"]["prices"].values()]
    return Price(max(price.input for price in prices), max(price.output for price in prices))


def prices_date() -> str:
    """The day of the prices, ISO 8601."""
    return str(_catalog()["teacher"]["prices_of"])


def embedder() -> EmbedderSource:
    """Where MiniLM comes from."""
    return EmbedderSource(**_catalog()["embedder"])


def models() -> tuple[Model, ...]:
    """The official Qwens, by family and size."""
    return tuple(Model(**row | {"shape": Attention(**row["shape"])}) for row in _catalog()["model"])


def model_named(name: str) -> Model | None:
    """An official Qwen by its name, also as its repository has it: "Qwen/Qwen2.5-1.5B-Instruct-GGUF"."""
    plain = name.lower().removeprefix("qwen/").removesuffix("-gguf").removesuffix("-instruct")
    return next((model for model in models() if model.name == plain), None)


def suggested_model(ram_bytes: int | None = None) -> Model:
    """The Qwen for a machine's RAM in bytes, by default this one's, whatever of it is free."""
    import psutil  # 10 ms that a question does not need

    size = nominal_gb(psutil.virtual_memory().total if ram_bytes is None else ram_bytes)
    return next(model for model in models() if model.ram_gb == size)


def nominal_gb(ram_bytes: int) -> int:
    """As which size a machine is sold: the largest that it has, give or take 15%; the smallest where it has less."""
    sizes = [model.ram_gb for model in models() if model.ram_gb is not None]
    return max((size for size in sizes if size <= ram_bytes / 2**30 * RAM_TOLERANCE), default=min(sizes))


@functools.cache
def _catalog() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "catalog.toml").read_text("utf-8"))
