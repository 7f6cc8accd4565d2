"""A Qwen2 in plain torch, its parameters named as Hugging Face names them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the model is."""

    tokens: int
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 768
    rope_theta: float = 10000.0
    context_tokens: int = 1024

    @property
    def head_size(self) -> int:
        """Numbers a head."""
        return self.width // self.heads


class Qwen2(nn.Module):
    """Token ids to hidden states; `logits` turns those into a choice of the next token."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = _Decoder(shape)
        self.lm_head = nn.Linear(shape.width, shape.tokens, bias=False)
        self.apply(_initialise)
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                # What a layer adds starts small, so that depth does not blow up the sum (GPT-2).
                nn.init.normal_(parameter, std=0.02 / (2 * shape.layers) ** 0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states, (rows, length, width), of tokens, (rows, length), padded on the right."""
        return self.write(self.read(tokens, self.shape.layers), self.shape.layers)

    def read(self, tokens: Tensor, layers: int) -> Tensor:
        """What the first layers make of tokens: (rows, length, width)."""
        hidden: Tensor = self.model.embed(tokens)
        return self.model.through(hidden, slice(0, layers))

    def write(self, hidden: Tensor, layers: int) -> Tensor:
        """What the layers after the first ones, and the last norm, make of their output."""
        normed: Tensor = self.model.norm(self.model.through(hidden, slice(layers, None)))
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of the next token, (..., tokens)."""
        scores: Tensor = self.lm_head(hidden)
        return scores


class _Decoder(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.tokens, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=1e-6)
        angles = torch.outer(torch.arange(shape.context_tokens).float(), _frequencies(shape))
        self.register_buffer("cosines", torch.cat((angles, angles), -1).cos(), persistent=False)
        self.register_buffer("sines", torch.cat((angles, angles), -1).sin(), persistent=False)

    def embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.embed_tokens(tokens)
        return embedded

    def through(self, hidden: Tensor, layers: slice) -> Tensor:
        length = hidden.shape[1]
        rotation = self.get_buffer("cosines")[:length], self.get_buffer("sines")[:length]
        for layer in self.layers[layers]:
            hidden = layer(hidden, rotation)
        return hidden


class Layer(nn.Module):
    """Attention, then a gated feed-forward, each added to what came in."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.width, eps=1e-6)
        self.self_attn = _Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.width, eps=1e-6)
        self.mlp = _Mlp(shape)

    def forward(self, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Hidden states, (rows, length, width), one layer on."""
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), rotation)
        added: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return added


class _Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_size = shape.heads, shape.kv_heads, shape.head_size
        self.q_proj = nn.Linear(shape.width, self.heads * self.head_size)
        self.k_proj = nn.Linear(shape.width, self.kv_heads * self.head_size)
        self.v_proj = nn.Linear(shape.width, self.kv_heads * self.head_size)
        self.o_proj = nn.Linear(self.heads * self.head_size, shape.width, bias=False)

    def forward(self, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        rows, length, _ = hidden.shape
        queries = _rotate(self._split(self.q_proj(hidden), self.heads), rotation)
        keys = _rotate(self._split(self.k_proj(hidden), self.kv_heads), rotation)
        values = self._split(self.v_proj(hidden), self.kv_heads)
        # Padding stands on the right, so the causal mask hides it from every real token.
        keys, values = (x.repeat_interleave(self.heads // self.kv_heads, 1) for x in (keys, values))
        # Written out: on a CPU the fused kernel's backward pass took a quarter of a step at 22 tokens.
        scores = queries @ keys.transpose(-1, -2) * self.head_size**-0.5
        is_later = torch.ones(length, length, dtype=torch.bool, device=hidden.device).triu(1)
        shares = scores.masked_fill(is_later, -torch.inf).softmax(-1)
        mixed = shares.to(values.dtype) @ values
        output: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))
        return output

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """(rows, length, heads * size) to (rows, heads, length, size)."""
        return x.view(*x.shape[:2], heads, self.head_size).transpose(1, 2)


class _Mlp(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        output: Tensor = self.down_proj(functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden))
        return output


def _frequencies(shape: Shape) -> Tensor:
    return shape.rope_theta ** -(torch.arange(0, shape.head_size, 2).float() / shape.head_size)


def _rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions, halves side by side (as Hugging Face and llama.cpp's NEOX have them)."""
    cosines, sines = rotation
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat((-second, first), dim=-1) * sines


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
