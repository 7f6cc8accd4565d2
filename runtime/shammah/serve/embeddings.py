"""`/v1/embeddings`: what the sentence embedder makes of texts."""

import base64

import numpy as np
from numpy.typing import NDArray

from shammah.errors import ModelMissing
from shammah.policy import Side
from shammah.serve.document import check
from shammah.serve.wanted import Object, Refused, way_of

WIDTH = 384


def texts_of(body: Object) -> list[str]:
    """The texts that are to be embedded.

    Raises:
        Refused: The request asks for what there is not, or is not to be understood.
    """
    check(body, "EmbeddingRequest")
    if way_of(body["model"]).forced is Side.TEACHER:
        raise Refused("the teacher makes no embeddings; ask `shammah`", "model")
    if body.get("dimensions") not in (None, WIDTH):
        raise Refused(f"embeddings have {WIDTH} dimensions here", "dimensions")
    given = body["input"]
    return [given] if isinstance(given, str) else list(given)


def reply(body: Object, vectors: list[NDArray[np.float32]], tokens: int) -> Object:
    """Embeddings in OpenAI's form."""
    form = _in_base64 if body.get("encoding_format") == "base64" else _in_numbers
    data = [{"object": "embedding", "index": n, "embedding": form(vector)} for n, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body["model"], "data": data, "usage": usage}


def missing() -> ModelMissing:
    """The error of a machine without an embedder."""
    return ModelMissing("the sentence embedder is not here", hint="`shammah doctor` says how it comes.")


def _in_numbers(vector: NDArray[np.float32]) -> list[float]:
    return [float(value) for value in vector]


def _in_base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
