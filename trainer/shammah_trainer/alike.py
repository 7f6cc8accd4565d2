"""Other forms of a word, by the model's own embeddings.

Embeddings put "enable" beside "disable", and "push" beside "pull": of a word's neighbours only those with its stem are
sure to mean what it means.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from shammah_trainer.layers import PackedEmbedding

NEAREST, LEAST_COSINE = 6, 0.45
STEM = 4
"""In letters, which forms of one word share at their beginning; of a shorter word all."""
LOOKED_AT = 24
SHORTEST = 3
"""In letters; shorter words and pieces of words stand near anything."""
CHUNK = 8192


@torch.no_grad()
def alike(words: Iterable[str], tokens: Mapping[str, int], embedding: PackedEmbedding) -> dict[str, Sequence[str]]:
    """The nearest other words with each word's stem, nearest first, by the cosine of embeddings around their mean.

    Args:
        words: Whose neighbours are wanted; those that are no token of their own have none.
        tokens: Every word that is one token, with its id.
        embedding: The base's.
    """
    candidates = [word for word in tokens if len(word) >= SHORTEST]
    wanted = [word for word in dict.fromkeys(words) if word in tokens and len(word) >= SHORTEST]
    if not wanted:
        return {}
    chunks = [candidates[start : start + CHUNK] for start in range(0, len(candidates), CHUNK)]
    total = sum(_embedded(chunk, tokens, embedding).sum(0) for chunk in chunks)
    mean = total / len(candidates)
    queries = functional.normalize(_embedded(wanted, tokens, embedding) - mean, dim=-1)
    cosines = torch.cat(
        [queries @ functional.normalize(_embedded(chunk, tokens, embedding) - mean, dim=-1).T for chunk in chunks],
        dim=1,
    )
    return dict(zip(wanted, _nearest(wanted, candidates, cosines), strict=True))


def _embedded(words: Sequence[str], tokens: Mapping[str, int], embedding: PackedEmbedding) -> Tensor:
    ids = torch.tensor([tokens[word] for word in words], device=embedding.weight.device)
    vectors: Tensor = embedding(ids)
    return vectors.float()


def has_stem_of(word: str, other: str) -> bool:
    """Whether both begin alike, as forms of one word do."""
    return word[:STEM] == other[:STEM] if len(other) >= STEM <= len(word) else word.startswith(other)


def _nearest(wanted: Sequence[str], candidates: Sequence[str], cosines: Tensor) -> list[Sequence[str]]:
    """Of each row of cosines, (wanted, candidates), the largest but the word's own."""
    values, places = cosines.topk(min(LOOKED_AT, len(candidates)), dim=-1)
    return [
        tuple(
            candidates[place]
            for value, place in zip(row_values, row_places, strict=True)
            if value >= LEAST_COSINE and candidates[place] != word and has_stem_of(candidates[place], word)
        )[:NEAREST]
        for word, row_values, row_places in zip(wanted, values.tolist(), places.tolist(), strict=True)
    ]
