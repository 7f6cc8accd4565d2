"""Models in several files, as llama.cpp splits and names them: given the first, it opens the others by itself."""

import re
from pathlib import Path

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def parts_of(path: Path) -> tuple[Path, ...]:
    """All files of the model that a file belongs to, in order; of `x-00002-of-00003.gguf` three, of `x.gguf` itself."""
    part = _PART.fullmatch(path.name)
    if part is None or int(part["count"]) < 2:
        return (path,)
    return tuple(
        path.with_name(f"{part['stem']}-{number:05}-of-{part['count']}.gguf")
        for number in range(1, int(part["count"]) + 1)
    )


def stem_of(path: Path) -> str:
    """A model file's name without its ending, and without the number of a part."""
    part = _PART.fullmatch(path.name)
    return path.stem if part is None else part["stem"]
