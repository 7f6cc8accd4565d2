"""An exported head says in onnxruntime what it says in numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah import features
from shammah.features import ANSWER_FEATURES, EMBEDDING_WIDTH, QUESTION_FEATURES, Features
from shammah.heads import ROUTER, VALIDATOR, Head
from shammah.learners import Kind
from shammah.sight import HeadName, names_of

onnx = pytest.importorskip("onnx", reason='ONNX is the extra "shammah[onnx]"')
onnxruntime = pytest.importorskip("onnxruntime")

WIDTH: dict[HeadName, int] = {
    "router": len(QUESTION_FEATURES),
    "validator": len(QUESTION_FEATURES) + len(ANSWER_FEATURES),
}


def drawn(chance: np.random.Generator, width: int, has_embedding: bool) -> Features:
    hand = np.clip(chance.normal(size=width) * 2, -4, 4).astype(np.float32)
    vector = chance.normal(size=EMBEDDING_WIDTH).astype(np.float32)
    return Features(hand, vector / np.float32(np.linalg.norm(vector)) if has_embedding else None)


def taught(name: HeadName, kind: Kind, has_embedding: bool, lessons: int = 300) -> Head:
    head = Head.fresh(kind, WIDTH[name], ROUTER if name == "router" else VALIDATOR)
    chance = np.random.default_rng(1)
    course = []
    for number in range(1, lessons + 1):
        seen = drawn(chance, WIDTH[name], has_embedding)
        course.append(head.learn(seen, bool(seen.hand[0] + seen.hand[-1] + chance.normal() > 0), 1.0, number))
    head.grow(course)
    return head


def said_by_onnx(file: Path, seen: list[Features]) -> np.ndarray[Any, np.dtype[np.float32]]:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    fed = {"hand": np.stack([one.hand for one in seen])}
    if len(session.get_inputs()) > 1:
        nothing = np.zeros(EMBEDDING_WIDTH, dtype=np.float32)
        fed["embedding"] = np.stack([nothing if one.embedding is None else one.embedding for one in seen])
    (found,) = session.run(["probability"], fed)
    return np.asarray(found)


@pytest.mark.parametrize("has_embedding", [False, True])
@pytest.mark.parametrize("kind", ["bayes", "adam"])
@pytest.mark.parametrize("name", ["router", "validator"])
def test_onnxruntime_says_what_numpy_says(name: HeadName, kind: Kind, has_embedding: bool, tmp_path: Path) -> None:
    from shammah import head_graph

    head, file = taught(name, kind, has_embedding), tmp_path / "head.onnx"
    assert (head.forest is not None) is ((name, kind) == ("validator", "bayes"))
    head_graph.write(head, name, file)
    chance = np.random.default_rng(2)
    seen = [drawn(chance, WIDTH[name], has_embedding and place % 2 == 0) for place in range(64)]
    expected = [head.probability(one) for one in seen]
    np.testing.assert_allclose(said_by_onnx(file, seen), expected, atol=1e-6, rtol=0)


def test_a_graph_names_its_arrays_and_its_version(tmp_path: Path) -> None:
    from shammah import head_graph

    model = head_graph.graph(taught("router", "bayes", True, lessons=5), "router")
    arrays = {array.name for array in model.graph.initializer if array.data_type == onnx.TensorProto.FLOAT}
    assert {"weight", "covariance", "projection", "hand_scale", "embedding_scale"} <= arrays
    said = {prop.key: prop.value for prop in model.metadata_props}
    assert (model.model_version, said["shammah.lessons"]) == (features.VERSION, "5")
    assert said["shammah.hand"].split(",") == list(names_of("router"))
