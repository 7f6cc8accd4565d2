"""Tensor names translate both ways."""

import pytest

from shammah_convert.names import UnknownName, gguf_name, hf_name, hf_names


@pytest.mark.parametrize(
    ("hugging_face", "gguf"),
    # From llama.cpp's convert_hf_to_gguf.py, as gguf-py's tensor map has them.
    [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.layers.3.self_attn.q_proj.weight", "blk.3.attn_q.weight"),
        ("model.layers.3.self_attn.k_proj.bias", "blk.3.attn_k.bias"),
        ("model.layers.0.self_attn.o_proj.weight", "blk.0.attn_output.weight"),
        ("model.layers.0.mlp.gate_proj.weight", "blk.0.ffn_gate.weight"),
        ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
        ("model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight"),
        ("model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight"),
        ("model.norm.weight", "output_norm.weight"),
        ("lm_head.weight", "output.weight"),
    ],
)
def test_a_name_translates_to_llama_cpps(hugging_face: str, gguf: str) -> None:
    assert gguf_name("qwen2", 4, hugging_face) == gguf


def test_qwen3_has_norms_of_queries_and_keys() -> None:
    assert gguf_name("qwen3", 2, "model.layers.1.self_attn.q_norm.weight") == "blk.1.attn_q_norm.weight"


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3"])
def test_every_name_comes_back(architecture: str) -> None:
    names = list(hf_names(architecture, 3))
    assert [hf_name(architecture, 3, gguf_name(architecture, 3, name)) for name in names] == names


def test_a_tied_model_has_no_output() -> None:
    assert set(hf_names("qwen2", 1)) - set(hf_names("qwen2", 1, is_tied=True)) == {"lm_head.weight"}


def test_a_layer_that_is_not_there_has_no_name() -> None:
    with pytest.raises(UnknownName, match=r"layers\.2"):
        gguf_name("qwen2", 2, "model.layers.2.mlp.up_proj.weight")


def test_an_unknown_gguf_name_is_refused() -> None:
    with pytest.raises(UnknownName, match="ssm"):
        hf_name("qwen2", 2, "blk.0.ssm_in.weight")


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(UnknownName, match="llama"):
        gguf_name("llama", 2, "model.norm.weight")
