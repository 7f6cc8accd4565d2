"""Qwens that are on this machine already: in the hub's cache, and where other tools keep theirs, read-only."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shammah import catalog
from shammah_convert.attention import Attention
from shammah_convert.shape import BadBase
from shammah_convert.split import parts_of, stem_of

Tool = Literal["hf", "lm-studio", "ollama", "llama.cpp"]
ARCHITECTURES = ("qwen2", "qwen3")
_DIGEST = re.compile(r"sha256[:-][0-9a-f]+")
OLLAMA_MODEL = "application/vnd.ollama.image.model"
_QUANTIZATION = re.compile(r"(?:^|[-._])((?:i?q\d(?:_\w+)?|fp?16|bf16|fp?32))$", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A model file on this machine.

    Attributes:
        name: As `shammah models use` takes it.
        tool: Who keeps it.
        path: Of a split model the first part.
        size_bytes: Of all parts.
    """

    name: str
    tool: Tool
    path: Path
    size_bytes: int
    architecture: str
    shape: Attention


def all_models(environ: Mapping[str, str] = os.environ) -> list[Found]:
    """Every Qwen2, Qwen2.5 and Qwen3 that is whole, each file once, by tool and name."""
    models: dict[Path, Found] = {}
    for tool, name, path in files(environ):
        model = _read(tool, name, path)
        if model is not None:
            models.setdefault(path.resolve(), model)
    return list(models.values())


def names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What lies where models are kept, by name; no file is opened, and some may be no Qwen."""
    return [name for _, name, path in files(environ) if is_whole(path)]


def quantization_of(file: str) -> str:
    """The quantization that a file's name ends with, as llama.cpp spells it; empty where it tells none."""
    found = _QUANTIZATION.search(stem_of(Path(file)))
    return "" if found is None else found[1].upper().replace("FP16", "F16").replace("FP32", "F32")


def tag_of(file: str) -> str:
    """What tells a file from the others of its repository: its quantization, or all of its name."""
    return quantization_of(file) or stem_of(Path(file))


def in_hub(repository: str, environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The GGUFs of a repository in the hub's cache, the newest snapshot first."""
    folder = _hub(environ) / f"models--{repository.replace('/', '--')}" / "snapshots"
    snapshots = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [file for snapshot in snapshots for file in sorted(snapshot.glob("**/*.gguf"))]


def is_whole(path: Path) -> bool:
    """Whether a file is the first part of a model, and all its parts are there."""
    parts = parts_of(path)
    return path == parts[0] and all(part.is_file() for part in parts)


def files(environ: Mapping[str, str]) -> Iterator[tuple[Tool, str, Path]]:
    """Each model file as tool, name and path, of split ones the first part."""
    for folder in sorted(_hub(environ).glob("models--*--*")):
        repository = folder.name.removeprefix("models--").replace("--", "/", 1)
        for path in in_hub(repository, environ):
            yield "hf", _hub_name(repository, path), path
    for folder in _lm_studio():
        for path in sorted(folder.glob("*/*/*.gguf")):
            yield "lm-studio", f"lm-studio:{stem_of(path)}", path
    yield from _ollama(environ)
    for path in sorted(_llama_cpp(environ).glob("*.gguf")):
        yield "llama.cpp", f"llama.cpp:{stem_of(path)}", path


def _hub_name(repository: str, path: Path) -> str:
    """The catalog's name for an official file, else hf:owner/repository:QUANT."""
    for model in catalog.models():
        if model.repository == repository and Path(model.file).name == path.name:
            return model.name
    return f"hf:{repository}:{tag_of(path.name)}"


def _ollama(environ: Mapping[str, str]) -> Iterator[tuple[Tool, str, Path]]:
    """What Ollama's manifests name: blobs without an ending."""
    folder = Path(environ.get("OLLAMA_MODELS") or _home() / ".ollama" / "models")
    manifests = folder / "manifests"
    for manifest in sorted(path for path in manifests.glob("*/*/*/*") if path.is_file()):
        _, owner, name, tag = manifest.relative_to(manifests).parts
        full = f"{name}:{tag}" if owner == "library" else f"{owner}/{name}:{tag}"
        for digest in _digests(manifest):
            yield "ollama", f"ollama:{full}", folder / "blobs" / digest.replace(":", "-")


def _digests(manifest: Path) -> list[str]:
    try:
        layers = json.loads(manifest.read_text("utf-8"))["layers"]
        named = [str(layer["digest"]) for layer in layers if layer["mediaType"] == OLLAMA_MODEL]
        return [digest for digest in named if _DIGEST.fullmatch(digest)]
    except (OSError, ValueError, LookupError, TypeError):  # another version's, or half written
        return []


def _read(tool: Tool, name: str, path: Path) -> Found | None:
    """A model, where it is one that is served here and all its parts are there."""
    if not is_whole(path):
        return None
    try:
        architecture, shape = Attention.read_named(path)
    except BadBase:
        return None
    if architecture not in ARCHITECTURES:
        return None
    return Found(name, tool, path, sum(part.stat().st_size for part in parts_of(path)), architecture, shape)


def _home() -> Path:
    return Path.home()


def _hub(environ: Mapping[str, str]) -> Path:
    """As huggingface_hub finds it, without opening that."""
    cache = environ.get("XDG_CACHE_HOME") or _home() / ".cache"
    home = environ.get("HF_HOME") or Path(cache) / "huggingface"
    folder = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE") or Path(home) / "hub"
    return Path(folder).expanduser()


def _lm_studio() -> list[Path]:
    return [_home() / ".lmstudio" / "models", _home() / ".cache" / "lm-studio" / "models"]


def _llama_cpp(environ: Mapping[str, str]) -> Path:
    if environ.get("LLAMA_CACHE"):
        return Path(environ["LLAMA_CACHE"])
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "llama.cpp"
    return Path(environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "llama.cpp"
