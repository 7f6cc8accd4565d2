"""What models and prices are known: catalog.toml as records."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
class Download:
    """A GGUF on the model hub."""

    ram_gb: int
    repository: str
    file: str

    @property
    def command(self) -> str:
        """How to fetch it with the hub's own tool, which is installed with Shammah."""
        return f"hf download {self.repository} {self.file}"


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


def suggested_model(ram_bytes: int | None = None) -> Download:
    """The largest Qwen that suits a machine's RAM in bytes, by default this one's."""
    import psutil  # 10 ms that a question does not need

    ram_gb = (psutil.virtual_memory().total if ram_bytes is None else ram_bytes) / 2**30
    models = [Download(**row) for row in _catalog()["model"]]
    return max((m for m in models if m.ram_gb <= ram_gb * RAM_TOLERANCE), key=lambda m: m.ram_gb, default=models[0])


@functools.cache
def _catalog() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "catalog.toml").read_text("utf-8"))
