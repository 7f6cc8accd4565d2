"""MiniLM (sentence-transformers/all-MiniLM-L6-v2) -> a Q8_0 BERT GGUF that llama.cpp embeds with."""

import hashlib
import os
import tempfile
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, LlamaFileType, PoolingType, TokenType
from safetensors import safe_open

from shammah_convert.files import publish

# The model's config.json; the weights' hash is checked, so the values cannot drift from it.
LAYERS = 6
WIDTH = 384
FEED_FORWARD = 1536
HEADS = 12
CONTEXT_TOKENS = 512
TOKEN_TYPES = 2
LAYER_NORM_EPS = 1e-12
# vocab.txt of bert-base-uncased, which MiniLM shares.
VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"

# Read by position_ids' own index, and by a head that mean pooling does without.
UNUSED_TENSORS = frozenset({"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"})
# llama.cpp's own converter leaves these in float32: they are small, and added to every token.
FLOAT32_TENSORS = frozenset({"position_embd.weight", "token_types.weight"})
WORD_START = "\u2581"
TEMPORARY_SUFFIX = ".tmp"


class WrongWeights(ValueError):
    """A weights or vocabulary file is not the one that was asked for; the text says which."""


def convert(weights: Path, vocabulary: Path, out: Path, sha256: str) -> None:
    """Convert MiniLM; the file appears under its name when it is whole, or not at all.

    Args:
        weights: model.safetensors.
        vocabulary: vocab.txt.
        out: The GGUF to write, in a folder that exists.
        sha256: Of the weights, in hex.

    Raises:
        WrongWeights: A file has another hash.
    """
    _check(weights, sha256)
    _check(vocabulary, VOCABULARY_SHA256)
    descriptor, name = tempfile.mkstemp(TEMPORARY_SUFFIX, f"{out.name}.", out.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        _write(weights, vocabulary, temporary)
        publish(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)


def _check(file: Path, sha256: str) -> None:
    with file.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != sha256:
        raise WrongWeights(f"{file} has sha256 {actual}, not {sha256}")


def _write(weights: Path, vocabulary: Path, out: Path) -> None:
    writer = gguf.GGUFWriter(out, "bert")
    try:
        _add_facts(writer)
        _add_vocabulary(writer, vocabulary.read_text("utf-8").splitlines())
        _add_tensors(writer, weights)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _add_facts(writer: gguf.GGUFWriter) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_source_url("https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2")
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(LAYER_NORM_EPS)
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.MEAN)


def _add_vocabulary(writer: gguf.GGUFWriter, words: list[str]) -> None:
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(TOKEN_TYPES)
    writer.add_token_list([_token(word) for word in words])
    writer.add_token_types([TokenType.CONTROL if _is_control(word) else TokenType.NORMAL for word in words])
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_mask_token_id(words.index("[MASK]"))


def _is_control(word: str) -> bool:
    return word.startswith("[") and word.endswith("]")


def _token(word: str) -> str:
    """WordPiece marks a word's continuation with ##; llama.cpp marks its start instead."""
    if _is_control(word):
        return word
    return word.removeprefix("##") if word.startswith("##") else WORD_START + word


def _add_tensors(writer: gguf.GGUFWriter, weights: Path) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, LAYERS)
    with safe_open(weights, framework="numpy") as tensors:
        for hf_name in sorted(set(tensors.keys()) - UNUSED_TENSORS):
            name = names.get_name(hf_name, try_suffixes=(".weight", ".bias"))
            assert name, hf_name
            values = tensors.get_tensor(hf_name).astype(np.float32, copy=False)
            if values.ndim == 1 or name in FLOAT32_TENSORS:
                writer.add_tensor(name, values)
            else:
                packed = gguf.quants.quantize(values, GGMLQuantizationType.Q8_0)
                writer.add_tensor(name, packed, raw_dtype=GGMLQuantizationType.Q8_0)
