"""LoRA adapters as GGUF files: written from PEFT's matrices, and read back with every doubt spoken out.

llama.cpp loads NaN weights, huge ones and another base's adapter without a word, and a file that it refuses can
end the process at the next decode. So a file is read here first.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from shammah_convert.files import whole
from shammah_convert.mapped import MappedFile
from shammah_convert.names import UnknownName, gguf_name, hf_name
from shammah_convert.shape import BaseConfig, shape_of

Matrix = NDArray[np.float32]

LORA_A, LORA_B = ".lora_a", ".lora_b"
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
LARGEST_WEIGHT = 1000.0
FINE_TUNE = "corrections"
LONGEST_BASE_NAME, LONGEST_SIZE_LABEL = 100, 20
"""Of a file's name, which may have 255 letters."""
MAGIC = b"GGUF"

INVOCATION = "adapter.alora.invocation_tokens"

BASE_SHA256 = "shammah.base.sha256"
EXAMPLES_SHA256 = "shammah.examples.sha256"
PARENT = "shammah.parent"
SCORES = "shammah.scores"


class BadAdapter(ValueError):
    """A file is no adapter that this base can run; the text says why."""


class NoAdapterFile(BadAdapter):
    """It is missing, no GGUF, cut off, or unreadable."""


class WrongKind(BadAdapter):
    """It is a GGUF, but not a LoRA adapter."""


class WrongBase(BadAdapter):
    """It was made for another architecture, or for another base of the same shape."""


class WrongTensors(BadAdapter):
    """A matrix has another name, shape or rank than the base wants, or half of its pair is missing."""


class BadValues(BadAdapter):
    """A weight or alpha is no number, or of no sane size."""


@dataclass(frozen=True, slots=True)
class Card:
    """What an adapter says of itself.

    Attributes:
        version: Counts a home's adapters.
        base_name: The base's name, for people.
        size_label: The base's parameters in short, as GGUF's naming convention has it: 1.5B.
        base_sha256: The very file that it was trained on.
        examples_sha256: Of the JSONL that it learnt from.
        parent: The adapter that was active when it was trained.
        scores: What its evaluation measured.
    """

    name: str
    base_name: str
    base_sha256: str
    examples_sha256: str = ""
    parent: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    version: int = 1
    size_label: str = ""

    @property
    def file_name(self) -> str:
        """The name by GGUF's convention: <BaseName>-<SizeLabel>-<FineTune>-<Version>-<Encoding>-<Type>.gguf."""
        base, size = (re.sub(r"[^A-Za-z0-9.]+", "-", text) for text in (self.base_name, self.size_label))
        base = base[:LONGEST_BASE_NAME].strip("-.") or "base"
        if size and not base.lower().endswith(size.lower()):
            base = f"{base}-{size[:LONGEST_SIZE_LABEL]}"
        return f"{base}-{FINE_TUNE}-v{self.version}-F16-LoRA.gguf"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA: for each module W of shape (out, in) a pair, applied as W + alpha / rank * lora_b @ lora_a.

    Attributes:
        pairs: By Hugging Face module (`model.layers.0.mlp.up_proj`): lora_a (rank, in) and lora_b (out, rank).
    """

    card: Card
    architecture: str
    alpha: float
    pairs: Mapping[str, tuple[Matrix, Matrix]]


def write_lora(path: Path, adapter: Adapter, base: BaseConfig) -> None:
    """Write an adapter in float16; the file appears under its name only when it is whole and on disk.

    Raises:
        BadAdapter: It does not fit the base, or holds values that are none.
    """
    check(adapter, base)
    with whole(path) as partial:
        _write(partial, adapter, base)


def _write(path: Path, adapter: Adapter, base: BaseConfig) -> None:
    writer = gguf.GGUFWriter(path, adapter.architecture)
    try:
        _add_card(writer, adapter)
        for module, (lora_a, lora_b) in adapter.pairs.items():
            name = gguf_name(base.architecture, base.layers, f"{module}.weight")
            writer.add_tensor(name + LORA_A, np.ascontiguousarray(lora_a, dtype=np.float16))
            writer.add_tensor(name + LORA_B, np.ascontiguousarray(lora_b, dtype=np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def read_lora(path: Path, base: BaseConfig) -> Adapter:
    """Read an adapter, and check that a base of this shape can run it; whose weights it was made for, the card says.

    Raises:
        BadAdapter: It cannot, in one of the named ways.
    """
    _check_magic(path)
    try:
        adapter = _parse(path, base)
    except BadAdapter:
        raise
    except (OSError, ValueError, TypeError, NotImplementedError) as error:  # of a header or a type
        raise NoAdapterFile(f"{path} is cut off or broken: {error!r}") from error
    check(adapter, base)
    return adapter


def _parse(path: Path, base: BaseConfig) -> Adapter:
    file = MappedFile(path)
    _check_kind(file, path)
    halves: dict[str, dict[str, Matrix]] = defaultdict(dict)
    for tensor in file.tensors.values():
        stem, dot, half = tensor.name.rpartition(".")
        if dot + half not in (LORA_A, LORA_B):
            raise WrongTensors(f"{path} holds {tensor.name!r}, which is no half of a LoRA pair")
        with np.errstate(all="ignore"):  # what is no number is told below
            values = gguf.quants.dequantize(tensor.data, tensor.kind)
            halves[_module(stem, base)][dot + half] = np.array(values, dtype=np.float32)
    return Adapter(_card(file, path), _text(file, "general.architecture"), _alpha(file), _pairs(halves))


def check(adapter: Adapter, base: BaseConfig) -> None:
    """Check that an adapter fits a base's shape, and that all its values are sane.

    Raises:
        BadAdapter: It does not, in one of the named ways.
    """
    if adapter.architecture != base.architecture:
        raise WrongBase(f"the adapter is for a {adapter.architecture or 'nameless'} model, not a {base.architecture}")
    if not (math.isfinite(adapter.alpha) and 0 < adapter.alpha <= LARGEST_WEIGHT):
        raise BadValues(f"the adapter's alpha is {adapter.alpha}")
    if not adapter.pairs:
        raise WrongTensors("the adapter holds no pair of matrices")
    for module, (lora_a, lora_b) in adapter.pairs.items():
        _check_pair(module, lora_a, lora_b, base)


def _check_pair(module: str, lora_a: Matrix, lora_b: Matrix, base: BaseConfig) -> None:
    if module.rpartition(".")[2] not in TARGETS:
        raise WrongTensors(f"an adapter may not change {module}")
    out, inner = shape_of(base, f"{module}.weight", rows=0)
    rank = lora_a.shape[0] if lora_a.ndim == 2 else 0
    if lora_a.shape != (rank, inner) or lora_b.shape != (out, rank) or not 0 < rank <= min(out, inner):
        raise WrongTensors(
            f"{module} has lora_a {lora_a.shape} and lora_b {lora_b.shape}, not (rank, {inner}) and ({out}, rank)"
        )
    largest = float(np.max([np.abs(lora_a).max(), np.abs(lora_b).max()]))
    if not largest <= LARGEST_WEIGHT:  # NaN is not
        raise BadValues(f"{module} holds weights up to {largest}")


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise NoAdapterFile(f"{path} cannot be read: {error.strerror}") from error
    if magic != MAGIC:
        raise NoAdapterFile(f"{path} is no GGUF file")


def _check_kind(file: MappedFile, path: Path) -> None:
    kind, adapter_kind = _text(file, "general.type"), _text(file, "adapter.type")
    if kind != "adapter":
        raise WrongKind(f"{path} holds a {kind or 'nameless thing'}, not an adapter")
    if adapter_kind != "lora":
        raise WrongKind(f"{path} is an adapter of type {adapter_kind or 'none'}, not lora")
    if file.value(INVOCATION) is not None:
        raise WrongKind(f"{path} is an activated LoRA, which works behind its own invocation tokens only")


def _module(stem: str, base: BaseConfig) -> str:
    try:
        return hf_name(base.architecture, base.layers, stem).removesuffix(".weight")
    except UnknownName as error:
        raise WrongTensors(f"the base has no {stem}: {error}") from error


def _pairs(halves: Mapping[str, Mapping[str, Matrix]]) -> dict[str, tuple[Matrix, Matrix]]:
    for module, found in halves.items():
        if len(found) != 2:
            raise WrongTensors(f"{module} has only {', '.join(found)} of its pair")
    return {module: (found[LORA_A], found[LORA_B]) for module, found in halves.items()}


def _alpha(file: MappedFile) -> float:
    value = file.value("adapter.lora.alpha")
    return float(value) if isinstance(value, int | float) else math.nan


def _text(file: MappedFile, key: str) -> str:
    value = file.value(key)
    return value if isinstance(value, str) else ""


def _card(file: MappedFile, path: Path) -> Card:
    try:
        scores = json.loads(_text(file, SCORES) or "{}")
        scores = {str(name): float(value) for name, value in scores.items()}
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        scores = {}
    return Card(
        name=_text(file, "general.name") or path.stem,
        base_name=_text(file, "general.base_model.0.name"),
        base_sha256=_text(file, BASE_SHA256),
        examples_sha256=_text(file, EXAMPLES_SHA256),
        parent=_text(file, PARENT),
        scores=scores,
        version=_version(_text(file, "general.version")),
        size_label=_text(file, "general.size_label"),
    )


def _version(text: str) -> int:
    digits = re.fullmatch(r"v(\d{1,9})", text)
    return int(digits[1]) if digits else 1


def _add_card(writer: gguf.GGUFWriter, adapter: Adapter) -> None:
    card = adapter.card
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(card.name)
    writer.add_finetune(FINE_TUNE)
    writer.add_version(f"v{card.version}")
    if card.size_label:
        writer.add_size_label(card.size_label)
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, card.base_name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", adapter.alpha)
    writer.add_string(BASE_SHA256, card.base_sha256)
    writer.add_string(EXAMPLES_SHA256, card.examples_sha256)
    writer.add_string(PARENT, card.parent)
    writer.add_string(SCORES, json.dumps(dict(card.scores), sort_keys=True))
