"""Tiny Qwens with random weights, written by our own converter: real files for llama.cpp, made in a moment."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shammah_convert.base import CHAT_TEMPLATE, About, write_base
from shammah_convert.names import hf_names
from shammah_convert.shape import BaseConfig
from shammah_convert.vocabulary import Vocabulary

WIDTH, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_SIZE = 64, 128, 2, 4, 2, 16


def vocabulary() -> Vocabulary:
    """The 256 byte-level characters, a merge, and Qwen's control tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]
    controls = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    return Vocabulary((*characters, "ls", *controls), frozenset(controls), ("l s",))


def write_tiny(
    path: Path,
    architecture: Literal["qwen2", "qwen3"] = "qwen2",
    context_tokens: int = 1024,
    template: str = CHAT_TEMPLATE,
    seed: int = 0,
) -> Path:
    """Write a random model whose greedy answers are nonsense, but always the same."""
    config = BaseConfig(
        architecture, WIDTH, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_SIZE, context_tokens, is_tied=True
    )
    about = About("tiny", "apache-2.0", chat_template=template)
    write_base(path, config, tiny_weights(architecture, seed), vocabulary(), about, "F16")
    return path


def write_killer(path: Path) -> Path:
    """Write a file with duplicate tokens: whoever opens it dies in GGML_ASSERT, of SIGABRT."""
    data = write_tiny(path).read_bytes()
    token = (2).to_bytes(8, "little")
    path.write_bytes(data.replace(token + b"ls", token + b"\xc4\xa0", 1))
    return path


def tiny_weights(architecture: Literal["qwen2", "qwen3"], seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Random weights by Hugging Face name."""
    random = np.random.default_rng(seed)
    shapes = {
        "embed_tokens": (len(vocabulary().tokens), WIDTH),
        "q_proj": (HEADS * HEAD_SIZE, WIDTH),
        "k_proj": (KV_HEADS * HEAD_SIZE, WIDTH),
        "v_proj": (KV_HEADS * HEAD_SIZE, WIDTH),
        "o_proj": (WIDTH, HEADS * HEAD_SIZE),
        "gate_proj": (FEED_FORWARD, WIDTH),
        "up_proj": (FEED_FORWARD, WIDTH),
        "down_proj": (WIDTH, FEED_FORWARD),
    }
    weights = {}
    for name in hf_names(architecture, LAYERS, True):
        part = name.split(".")[-2]
        if name.endswith("bias"):
            weights[name] = random.normal(0, 0.1, shapes[part][0])
        elif part.endswith("norm"):
            weights[name] = np.ones(HEAD_SIZE if part in ("q_norm", "k_norm") else WIDTH)
        else:
            weights[name] = random.normal(0, 0.15, shapes[part])
    return weights
