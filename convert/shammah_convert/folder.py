"""A Hugging Face folder with a Qwen2 or Qwen3: shape, tokenizer, chat template, and weights that stay on the disk."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shammah_convert.base import CHAT_TEMPLATE, About, Quantization, write_base
from shammah_convert.files import in_words
from shammah_convert.shape import BadBase, BaseConfig
from shammah_convert.stored import BadTensors, StoredTensors
from shammah_convert.vocabulary import Vocabulary

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
INDEX, WEIGHTS, TEMPLATE, CARD = "model.safetensors.index.json", "model.safetensors", "chat_template.jinja", "README.md"
OUTPUT = "lm_head.weight"


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a folder.

    Attributes:
        weights: By Hugging Face names, as the shape has them.
    """

    config: BaseConfig
    vocabulary: Vocabulary
    weights: StoredTensors
    about: About

    @property
    def stored_as(self) -> Quantization:
        """The type that loses nothing: the one that all matrices are stored in, or F32."""
        match sorted(self.weights.matrix_kinds):
            case ["BF16"]:
                return "BF16"
            case ["F16"]:
                return "F16"
            case _:
                return "F32"


def read_folder(folder: Path) -> Model:
    """Read config.json, tokenizer.json and the safetensors of a folder.

    Raises:
        BadBase: It does not hold a Qwen2 or Qwen3 that speaks ChatML, or a file is missing or broken.
    """
    settings = _read_json(folder / CONFIG)
    config = BaseConfig.from_hf(settings)
    try:
        weights = StoredTensors(_weight_files(folder))
    except BadTensors as error:
        raise BadBase(str(error)) from error
    return Model(
        config=config,
        vocabulary=Vocabulary.from_tokenizer_json(_read_text(folder / TOKENIZER)),
        # A tied output is the embedding; some tools store it once more.
        weights=weights.without(OUTPUT) if config.is_tied else weights,
        about=About(folder.absolute().name, _license(folder), chat_template=_chat_template(folder)),
    )


def write_model(path: Path, model: Model, quantization: Quantization) -> None:
    """Write a model as a GGUF; it appears under its name only when it is whole and on disk.

    Raises:
        BadBase: A tensor is missing or left over, or has another shape than the configuration says.
        OSError: It cannot be written.
    """
    write_base(path, model.config, model.weights, model.vocabulary, model.about, quantization)


def _weight_files(folder: Path) -> list[Path]:
    if not (folder / INDEX).is_file():
        return [folder / WEIGHTS]
    places = _read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict):
        raise BadBase(f"{folder / INDEX} has no weight_map")
    files = [folder / str(name) for name in sorted(set(places.values()))]
    for file in files:
        if file.parent != folder or not file.is_file():
            raise BadBase(f"{file} is missing: the weights are in {len(files)} files")
    return files


def _chat_template(folder: Path) -> str:
    if (folder / TEMPLATE).is_file():
        return _read_text(folder / TEMPLATE)
    settings = _read_json(folder / TOKENIZER_CONFIG) if (folder / TOKENIZER_CONFIG).is_file() else {}
    template = settings.get("chat_template")
    if isinstance(template, list):  # several, by name
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else CHAT_TEMPLATE


def _license(folder: Path) -> str:
    """The licence that the model's card names, in its front matter."""
    text = _read_text(folder / CARD) if (folder / CARD).is_file() else ""
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*(\S+)\s*$", front[1], re.MULTILINE) if front else None
    return found[1] if found else "unknown"


def _read_json(path: Path) -> dict[str, Any]:
    text = _read_text(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadBase(f"{path} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadBase(f"{path} holds no object")
    return data


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadBase(f"{path} cannot be read: {in_words(error)}") from error
