"""How much a model's file holds, in the numbers by which llama.cpp describes it: those of all its parts together."""

from dataclasses import dataclass
from pathlib import Path

from shammah_convert.mapped import MappedFile
from shammah_convert.split import parts_of

TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model's file holds.

    Attributes:
        parameters: In all tensors.
        size_bytes: Of all tensors, without what pads them.
        vocabulary: Tokens.
    """

    parameters: int
    size_bytes: int
    vocabulary: int

    @classmethod
    def read(cls, path: Path) -> "Sizes":
        """Read the header of a GGUF, of a split one those of all parts.

        Raises:
            BadHeader: It is no GGUF, is cut off, or is broken.
            OSError: It cannot be opened.
        """
        files = [MappedFile(part) for part in parts_of(path)]
        tensors = [tensor for file in files for tensor in file.tensors.values()]
        tokens = [file.items(file.fields[TOKENS])[1] for file in files if TOKENS in file.fields]
        values, sizes = (tensor.values for tensor in tensors), (int(tensor.data.nbytes) for tensor in tensors)
        return cls(sum(values), sum(sizes), max(tokens, default=0))
