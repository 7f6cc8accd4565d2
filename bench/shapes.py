"""Models with random weights in the true shapes of Qwen2.5: for speed and memory, where no download can be had.

`python -m bench.shapes 0.5b` writes one. Q4_K_M of the 0.5B shape is mostly Q5_0 and Q8_0, because 896 is no
multiple of 256; the 1.5B shape gets true K-quants.
"""

import argparse
import ctypes
import os
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import llama_cpp as ll
import numpy as np
from numpy.typing import NDArray

from shammah.hardware import physical_cores
from shammah_convert.base import About, write_base
from shammah_convert.chat import END_OF_TEXT, IM_END, IM_START
from shammah_convert.names import hf_names
from shammah_convert.shape import BaseConfig
from shammah_convert.vocabulary import Vocabulary

MODELS = Path(__file__).parent / "models"
VOCABULARY_SIZE = 151_936
CONTROLS = (END_OF_TEXT, IM_START, IM_END)
# From the config.json of Qwen2.5-0.5B-Instruct and Qwen2.5-1.5B-Instruct.
SHAPES = {
    "0.5b": BaseConfig("qwen2", 896, 4864, 24, 14, 2, 64, 32768, 1e6, 1e-6, is_tied=True),
    "1.5b": BaseConfig("qwen2", 1536, 8960, 28, 12, 2, 128, 32768, 1e6, 1e-6, is_tied=True),
}
# No divisor in common with any row's length, so that rows cut from the same numbers differ.
POOL_SIZE = 4_000_037
WEIGHT_SCALE = 0.02


def cached(shape: str) -> Path:
    """The Q4_K_M file of a shape, written the first time (half a minute for 0.5B)."""
    file = MODELS / f"qwen2.5-{shape}-random.q4_k_m.gguf"
    if not file.is_file():
        MODELS.mkdir(exist_ok=True)
        half = MODELS / f"qwen2.5-{shape}-random.f16.gguf"
        write_random(half, SHAPES[shape], f"Random {shape}")
        quantize(half, file)
        half.unlink()
    return file


def write_random(path: Path, config: BaseConfig, name: str, size: int = VOCABULARY_SIZE) -> None:
    """Write a model of a shape in F16."""
    about = About(name=name, license="Apache-2.0", description="Random weights in a Qwen2.5's shape, for speed alone.")
    write_base(path, config, RandomWeights(config, size), vocabulary(size), about, "F16")


def quantize(source: Path, target: Path) -> None:
    """Quantize an F16 file to Q4_K_M."""
    ll.llama_log_set(_ignore, ctypes.c_void_p())
    parameters = ll.llama_model_quantize_default_params()
    parameters.ftype = ll.LLAMA_FTYPE_MOSTLY_Q4_K_M
    parameters.nthread = physical_cores()
    partial = target.with_name(f"{target.name}.partial")
    code = ll.llama_model_quantize(os.fsencode(source), os.fsencode(partial), ctypes.byref(parameters))
    if code != 0:
        raise RuntimeError(f"quantizing {source} failed with code {code}")
    partial.replace(target)


@ll.llama_log_callback  # type: ignore[untyped-decorator]
def _ignore(_level: int, _text: bytes, _data: object) -> None: ...


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
        shape = self._shape(name)
        if "norm" in name:
            return np.ones(shape, np.float32)
        start = zlib.crc32(name.encode()) % POOL_SIZE  # each tensor begins elsewhere in the same numbers
        weights = np.resize(np.roll(_pool(), -start), shape)
        if "embed_tokens" in name:
            weights[-len(CONTROLS) :] = 0  # the output is tied: no control token is ever the likeliest
        return weights

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _shape(self, name: str) -> tuple[int, ...]:
        config = self._config
        hidden, inner, keys = config.hidden_size, config.intermediate_size, config.kv_heads * config.head_size
        part, kind = name.split(".")[-2:]
        out = {"embed_tokens": self._rows, "k_proj": keys, "v_proj": keys, "gate_proj": inner, "up_proj": inner}
        rows = out.get(part, hidden)
        is_vector = kind == "bias" or "norm" in part
        return (rows,) if is_vector else (rows, inner if part == "down_proj" else hidden)


@cache
def _pool() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(POOL_SIZE, np.float32) * np.float32(WEIGHT_SCALE)


def main() -> None:
    """Write the files of the shapes that are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.shapes", description=main.__doc__)
    parser.add_argument("shapes", nargs="+", choices=sorted(SHAPES))
    for shape in parser.parse_args().shapes:
        print(cached(shape))


if __name__ == "__main__":
    main()
