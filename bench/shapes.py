"""Models with random weights in the true shapes of Qwen2.5: for speed and memory, where no download can be had.

`python -m bench.shapes 0.5b` writes one. Q4_K_M of the 0.5B shape is mostly Q5_0 and Q8_0, because 896 is no
multiple of 256; the 1.5B shape gets true K-quants.
"""

import argparse
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.mixture import POOL_SIZE, pool, write_q4_k_m
from shammah_convert.base import About, write_base
from shammah_convert.chat import END_OF_TEXT, IM_END, IM_START
from shammah_convert.names import hf_names
from shammah_convert.shape import BaseConfig, shape_of
from shammah_convert.vocabulary import Vocabulary

MODELS = Path(__file__).parent / "models"
VOCABULARY_SIZE = 151_936
CONTROLS = (END_OF_TEXT, IM_START, IM_END)
# From the config.json of Qwen2.5-0.5B-Instruct, Qwen2.5-1.5B-Instruct and Qwen2.5-7B-Instruct.
SHAPES = {
    "0.5b": BaseConfig("qwen2", 896, 4864, 24, 14, 2, 64, 32768, 1e6, 1e-6, is_tied=True),
    "1.5b": BaseConfig("qwen2", 1536, 8960, 28, 12, 2, 128, 32768, 1e6, 1e-6, is_tied=True),
    "7b": BaseConfig("qwen2", 3584, 18944, 28, 28, 4, 128, 32768, 1e6, 1e-6, is_tied=False),
}
ROWS = {"7b": 152_064}


def cached(shape: str) -> Path:
    """The Q4_K_M file of a shape, written the first time (some seconds for 0.5B, a minute for 7B)."""
    file = MODELS / f"qwen2.5-{shape}-random.q4_k_m.gguf"
    if not file.is_file():
        MODELS.mkdir(exist_ok=True)
        write_q4_k_m(file, SHAPES[shape], vocabulary(rows_of(shape)), _about(f"Random {shape}"))
    return file


def rows_of(shape: str) -> int:
    """Of a shape's embedding."""
    return ROWS.get(shape, VOCABULARY_SIZE)


def write_random(path: Path, config: BaseConfig, name: str, size: int = VOCABULARY_SIZE) -> None:
    """Write a model of a shape in F16."""
    write_base(path, config, RandomWeights(config, size), vocabulary(size), _about(name), "F16")


def _about(name: str) -> About:
    return About(name, "Apache-2.0", "Random weights in a Qwen2.5's shape, for speed alone.")


def vocabulary(size: int) -> Vocabulary:
    """A vocabulary that loads: 256 bytes, one merge, fillers, and the three control tokens at the end."""
    text = [*byte_characters(), "\u0120t"]
    # Short words: a long run of letters would look like a secret, and cost `ask` a scan that no prose costs it.
    fillers = [f"\u0120w{index}" for index in range(size - len(text) - len(CONTROLS))]
    return Vocabulary((*text, *fillers, *CONTROLS), frozenset(CONTROLS), ("\u0120 t",))


def byte_characters() -> list[str]:
    """GPT-2's printable character for each byte (`bytes_to_unicode` of openai/gpt-2's encoder.py)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


class RandomWeights(Mapping[str, NDArray[np.float32]]):
    """Weights by Hugging Face name, made when they are read: only the file's own precision is ever held."""

    def __init__(self, config: BaseConfig, vocabulary_size: int) -> None:
        self._config = config
        self._rows = vocabulary_size
        self._names = tuple(hf_names(config.architecture, config.layers, config.is_tied))

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        shape = shape_of(self._config, name, self._rows)
        if "norm" in name:
            return np.ones(shape, np.float32)
        start = zlib.crc32(name.encode()) % POOL_SIZE  # each tensor begins elsewhere in the same numbers
        weights = np.resize(np.roll(pool(), -start), shape)
        if "embed_tokens" in name:
            weights[-len(CONTROLS) :] = 0  # the output is tied: no control token is ever the likeliest
        return weights

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def main() -> None:
    """Write the files of the shapes that are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.shapes", description=main.__doc__)
    parser.add_argument("shapes", nargs="+", choices=sorted(SHAPES))
    for shape in parser.parse_args().shapes:
        print(cached(shape))


if __name__ == "__main__":
    main()
