"""The files of a model, opened together: one header, and one table of tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gguf import Keys

from shammah_convert.mapped import MappedFile, Tensor
from shammah_convert.shape import BadBase
from shammah_convert.split import parts_of


@dataclass(frozen=True, slots=True)
class Parts:
    """A mapped model, whole or split.

    Attributes:
        header: The first file, which alone holds what the model says of itself.
        tensors: Of all files, by GGUF's names, in their order.
    """

    header: MappedFile
    tensors: dict[str, Tensor]


def open_parts(path: Path) -> Parts:
    """Map all files of the model that a file belongs to.

    Raises:
        BadBase: A part is missing, or one of another model, or the tensors of one stand in another.
        BadHeader: A file is no GGUF, or broken.
        OSError: One cannot be opened.
    """
    paths = parts_of(path)
    for part in paths if len(paths) > 1 else ():
        if not part.is_file():
            raise BadBase(f"{part} is missing: the model has {len(paths)} parts")
    files = [MappedFile(part) for part in paths]
    _check_numbers(paths, files)
    tensors = {name: tensor for file in files for name, tensor in file.tensors.items()}
    _check_count(path, files, len(tensors))
    return Parts(files[0], tensors)


def _check_numbers(paths: Sequence[Path], files: Sequence[MappedFile]) -> None:
    """Each file must be the part that its name says; a whole one says nothing of parts."""
    for number, (path, file) in enumerate(zip(paths, files, strict=True)):
        said = (
            _number(file, Keys.Split.LLM_KV_SPLIT_NO, 0),
            max(1, _number(file, Keys.Split.LLM_KV_SPLIT_COUNT, 1)),
        )
        if said != (number, len(paths)):
            raise BadBase(
                f"{path} says that it is part {said[0] + 1} of {said[1]}, not {number + 1} of {len(paths)}:"
                " keep the names that the parts were made with"
            )


def _check_count(path: Path, files: Sequence[MappedFile], found: int) -> None:
    stored = sum(len(file.tensors) for file in files)
    wanted = _number(files[0], Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT, stored)
    if not found == stored == wanted:
        raise BadBase(f"{path} and its parts hold {found} different tensors of {stored}, not {wanted}")


def _number(file: MappedFile, key: str, default: int) -> int:
    value = file.value(key)
    if value is None:
        return default
    if not isinstance(value, int):
        raise BadBase(f"{key} is {value!r}, no number")
    return value
