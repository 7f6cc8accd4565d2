"""The files of a model, opened together: one header, and one table of tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf

from shammah_convert.shape import BadBase
from shammah_convert.split import parts_of


@dataclass(frozen=True, slots=True)
class Parts:
    """A mapped model, whole or split.

    Attributes:
        header: The first file, which alone holds what the model says of itself.
        tensors: Of all files, by GGUF's names, in their order.
    """

    header: gguf.GGUFReader
    tensors: dict[str, gguf.ReaderTensor]


def open_parts(path: Path) -> Parts:
    """Map all files of the model that a file belongs to.

    Raises:
        BadBase: A part is missing, or one of another model, or the tensors of one stand in another.
    """
    paths = parts_of(path)
    for part in paths if len(paths) > 1 else ():
        if not part.is_file():
            raise BadBase(f"{part} is missing: the model has {len(paths)} parts")
    # A private mapping: torch wraps no memory that is read-only.
    readers = [gguf.GGUFReader(part, "c") for part in paths]
    _check_numbers(paths, readers)
    tensors = {str(tensor.name): tensor for reader in readers for tensor in reader.tensors}
    _check_count(path, readers, len(tensors))
    return Parts(readers[0], tensors)


def _check_numbers(paths: Sequence[Path], readers: Sequence[gguf.GGUFReader]) -> None:
    """Each file must be the part that its name says; a whole one says nothing of parts."""
    for number, (path, reader) in enumerate(zip(paths, readers, strict=True)):
        said = (
            _number(reader, gguf.Keys.Split.LLM_KV_SPLIT_NO, 0),
            max(1, _number(reader, gguf.Keys.Split.LLM_KV_SPLIT_COUNT, 1)),
        )
        if said != (number, len(paths)):
            raise BadBase(
                f"{path} says that it is part {said[0] + 1} of {said[1]}, not {number + 1} of {len(paths)}:"
                " keep the names that the parts were made with"
            )


def _check_count(path: Path, readers: Sequence[gguf.GGUFReader], found: int) -> None:
    stored = sum(len(reader.tensors) for reader in readers)
    wanted = _number(readers[0], gguf.Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT, stored)
    if not found == stored == wanted:
        raise BadBase(f"{path} and its parts hold {found} different tensors of {stored}, not {wanted}")


def _number(reader: gguf.GGUFReader, key: str, default: int) -> int:
    field = reader.get_field(key)
    return default if field is None else int(field.contents())
