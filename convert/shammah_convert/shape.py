"""The shape of a Qwen: what its tensors measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class BadBase(ValueError):
    """Weights, configuration and tokenizer do not make a model; the text says why."""


@dataclass(frozen=True, slots=True)
class BaseConfig:
    """The shape of a Qwen, in Hugging Face's words where it has some."""

    architecture: str
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    context_tokens: int
    rope_theta: float = 10000.0
    rms_epsilon: float = 1e-6
    is_tied: bool = False

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of each projection of a layer."""
        width, inner = self.hidden_size, self.intermediate_size
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        return (
            (width, queries), (width, keys), (width, keys), (queries, width),
            (width, inner), (width, inner), (inner, width),
        )  # fmt: skip

    @classmethod
    def from_hf(cls, config: Mapping[str, Any]) -> "BaseConfig":
        """Read a `config.json`.

        Raises:
            BadBase: It is neither a Qwen2 nor a Qwen3, its rotary positions are stretched, or a field is missing.
        """
        if config.get("model_type") not in ("qwen2", "qwen3"):
            raise BadBase(f"model_type is {config.get('model_type')!r}, not qwen2 or qwen3")
        # transformers 5 moved rope_theta into rope_parameters; older files have it at the top.
        rope = config.get("rope_parameters") or config
        _check_rope(config.get("rope_scaling") or rope)
        try:
            return cls(
                architecture=str(config["model_type"]),
                hidden_size=int(config["hidden_size"]),
                intermediate_size=int(config["intermediate_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=int(config["num_attention_heads"]),
                kv_heads=int(config["num_key_value_heads"]),
                head_size=int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]),
                context_tokens=int(config["max_position_embeddings"]),
                rope_theta=float(rope["rope_theta"]),
                rms_epsilon=float(config["rms_norm_eps"]),
                is_tied=bool(config.get("tie_word_embeddings", False)),
            )
        except KeyError as error:
            raise BadBase(f"the configuration lacks {error}") from error


def _check_rope(rope: Mapping[str, Any]) -> None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind != "default":
        raise BadBase(f"its rotary positions are scaled ({kind}), which is not converted; take rope_scaling out")


def lora_values(config: BaseConfig, rank: int) -> int:
    """Of an adapter on every projection."""
    return rank * config.layers * sum(inner + outer for inner, outer in config.matrices)


def shape_of(config: BaseConfig, name: str, rows: int) -> tuple[int, ...]:
    """The shape of a tensor by its Hugging Face name; `rows` is the vocabulary's size."""
    hidden, feed_forward = config.hidden_size, config.intermediate_size
    queries, keys = config.heads * config.head_size, config.kv_heads * config.head_size
    matrices = {
        "embed_tokens": (rows, hidden),
        "lm_head": (rows, hidden),
        "q_proj": (queries, hidden),
        "k_proj": (keys, hidden),
        "v_proj": (keys, hidden),
        "o_proj": (hidden, queries),
        "gate_proj": (feed_forward, hidden),
        "up_proj": (feed_forward, hidden),
        "down_proj": (hidden, feed_forward),
        "q_norm": (config.head_size,),
        "k_norm": (config.head_size,),
    }
    part, kind = name.split(".")[-2:]
    shape = matrices.get(part, (hidden,))
    return shape[:1] if kind == "bias" else shape
