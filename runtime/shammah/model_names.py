"""What people call a model: a name of the catalog, hf:owner/repository:QUANT, another tool's, a path, the seedling."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shammah import catalog, found
from shammah.catalog import Model
from shammah.errors import ModelMissing, UsageError

SEEDLING_NAMES = ("seedling", "built-in")
HUB, TOOLS = "hf:", ("lm-studio:", "ollama:", "llama.cpp:")
# The hub allows 96 characters, and no file's name may have many more.
_SPEC = re.compile(r"hf:(?P<repository>[\w.-]{1,96}/[\w.-]{1,96})(?::(?P<quantization>[\w.-]{1,96}))?", re.ASCII)
LIST_HINT = "`shammah models list` shows all."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model of the hub that somebody wants.

    Attributes:
        name: As `shammah models` takes it.
        file: Empty where the quantization tells which.
        quantization: Empty where any will do.
        model: Where the catalog knows it.
    """

    name: str
    title: str
    repository: str
    file: str
    quantization: str
    model: Model | None = None


def wanted(name: str) -> Wanted:
    """The model of the hub that a name means.

    Raises:
        UsageError: It means none; the hint has the nearest.
    """
    if model := catalog.model_named(name):
        return Wanted(model.name, model.title, model.repository, model.file, model.quantization, model)
    spec = _SPEC.fullmatch(name)
    if spec is not None:
        quantization = (spec["quantization"] or "").upper()
        return Wanted(name, name.removeprefix(HUB), spec["repository"], "", quantization)
    if name.startswith(HUB):
        raise UsageError(f"{name!r} names no file of the hub", hint="Write hf:OWNER/REPOSITORY:QUANT.")
    raise UsageError(f"there is no model {name!r}", hint=near(name))


def near(name: str) -> str:
    """The hint for a name that means nothing."""
    known = [model.name for model in catalog.models()]
    nearest = difflib.get_close_matches(name.lower(), known, 1)
    return f"Did you mean {nearest[0]}? {LIST_HINT}" if nearest else LIST_HINT


def is_name(text: str) -> bool:
    """Whether a text is a name rather than a path."""
    if text.startswith((HUB, *TOOLS)):
        return True
    is_known = text in SEEDLING_NAMES or catalog.model_named(text) is not None
    return is_known and not Path(text).expanduser().exists()


def resolve(name: str) -> Path | None:
    """The file that a name means; None for the seedling.

    Raises:
        ModelMissing: It is not on this machine.
        UsageError: It means nothing.
    """
    if name in SEEDLING_NAMES:
        return None
    file = locate(name)
    if file is None:
        hint = LIST_HINT if name.startswith(TOOLS) else f"Fetch it: shammah models pull {name}"
        raise ModelMissing(f"{name} is not on this machine", hint)
    return file


def locate(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that a name means, where it is on this machine; of a split model the first part."""
    if name.startswith(TOOLS):
        return next((model.path for model in found.all_models(environ) if model.name == name), None)
    one = wanted(name)
    files = (path for path in found.in_hub(one.repository, environ) if _is_meant(path, one))
    return next((path for path in files if found.is_whole(path)), None)


def _is_meant(path: Path, one: Wanted) -> bool:
    if one.file:
        return path.name == Path(one.file).name
    return one.quantization in ("", found.tag_of(path.name).upper())
