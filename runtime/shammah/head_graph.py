"""A head as an ONNX graph: normalise, affine, sigmoid, over named float32 arrays.

The inputs are `hand`, float32 (n, hand features), and, for a head that has seen embeddings, `embedding`, float32
(n, 384), zeros where there is none. The output is `probability`, float32 (n,).
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from shammah import __version__, features
from shammah.features import EMBEDDING_WIDTH
from shammah.heads import BIAS, Head
from shammah.learners import FLATTEST
from shammah.sight import HeadName, names_of

OPSET, FORMAT = 17, 8
"""Of the operators, and of the file: what onnxruntime 1.14 and later read."""

Arrays = dict[str, NDArray[np.float32]]


def write(head: Head, name: HeadName, file: Path) -> None:
    """Write a head as an ONNX file, whole or not at all."""
    from shammah_convert.files import whole

    model = graph(head, name)
    with whole(file) as partial:
        partial.write_bytes(model.SerializeToString())


def graph(head: Head, name: HeadName) -> ModelProto:
    """A head as a checked graph, with its version, its place in the journal and the features' names."""
    arrays = _arrays(head)
    inputs = [helper.make_tensor_value_info("hand", TensorProto.FLOAT, ["n", head.hand_width])]
    if _is_wide(head):
        inputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", EMBEDDING_WIDTH]))
    output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"])
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    body = helper.make_graph([*_normalise(head), *_affine(arrays), *_squash()], name, inputs, [output], constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=FORMAT)
    model.producer_name, model.producer_version, model.model_version = "shammah", __version__, features.VERSION
    helper.set_model_props(model, _properties(head, name))
    checker.check_model(model, full_check=True)
    return model


def _properties(head: Head, name: HeadName) -> dict[str, str]:
    facts = {
        "head": name,
        "kind": head.learner.kind,
        "feature_version": str(head.version),
        "lessons": str(head.lessons),
        "last_lesson": str(head.cursor),
        "hand": ",".join(names_of(name)),
    }
    return {f"shammah.{key}": value for key, value in facts.items()}


def _arrays(head: Head) -> Arrays:
    """Every constant of the graph, by its name in it."""
    learnt = head.learner.arrays()
    values = {
        "hand_scale": np.array(head.prior.hand),
        "embedding_scale": np.array(head.prior.embedding),
        "bias": np.array([[BIAS]]),
        "projection": head.projection,
        "wave_scale": np.array(math.sqrt(2 / max(1, head.prior.waves))),
        "weight": head.learner.weights[:, None],
        "offset": np.array(head.learner.offset),
        "one": np.array(1.0),
        "last_axis": np.array([1]),
        "first": np.array([0]),
        "next": np.array([1]),
        "flattest": np.array(FLATTEST),
        "steepest": np.array(-FLATTEST),
    }
    if "covariance" in learnt:
        values |= {"covariance": learnt["covariance"], "eighth_pi": np.array(math.pi / 8)}
    whole = ("last_axis", "first", "next")
    return {key: value.astype(np.int64 if key in whole else np.float32) for key, value in values.items()}


def _is_wide(head: Head) -> bool:
    return head.learner.width > head.hand_width + 1 + head.prior.waves


def _normalise(head: Head) -> list[NodeProto]:
    """Blocks in their order: hand features, bias, waves, embedding, each at its scale; `x`, (n, width)."""
    make, blocks = helper.make_node, ["scaled_hand", "biases"]
    nodes = [
        make("Mul", ["hand", "hand_scale"], ["scaled_hand"]),
        make("Slice", ["hand", "first", "next", "last_axis"], ["one_column"]),
        make("Sub", ["one_column", "one_column"], ["zeros"]),
        make("Add", ["zeros", "bias"], ["biases"]),
    ]
    if head.prior.waves:
        nodes += [
            make("MatMul", ["hand", "projection"], ["angles"]),
            make("Cos", ["angles"], ["cosines"]),
            make("Sin", ["angles"], ["sines"]),
            make("Concat", ["cosines", "sines"], ["unit_waves"], axis=1),
            make("Mul", ["unit_waves", "wave_scale"], ["waves"]),
        ]
        blocks.append("waves")
    if _is_wide(head):
        nodes.append(make("Mul", ["embedding", "embedding_scale"], ["scaled_embedding"]))
        blocks.append("scaled_embedding")
    return [*nodes, make("Concat", blocks, ["x"], axis=1)]


def _affine(arrays: Arrays) -> list[NodeProto]:
    """The logit, (n, 1), averaged over the weights where they are uncertain."""
    make = helper.make_node
    nodes = [make("MatMul", ["x", "weight"], ["product"]), make("Add", ["product", "offset"], ["logit"])]
    if "covariance" not in arrays:
        return [*nodes, make("Identity", ["logit"], ["averaged"])]
    return [
        *nodes,
        make("MatMul", ["x", "covariance"], ["spread"]),
        make("Mul", ["spread", "x"], ["parts"]),
        make("ReduceSum", ["parts", "last_axis"], ["variance"], keepdims=1),
        make("Mul", ["variance", "eighth_pi"], ["share"]),
        make("Add", ["share", "one"], ["widening"]),
        make("Sqrt", ["widening"], ["root"]),
        make("Div", ["logit", "root"], ["averaged"]),
    ]


def _squash() -> list[NodeProto]:
    make = helper.make_node
    return [
        make("Clip", ["averaged", "steepest", "flattest"], ["clipped"]),
        make("Sigmoid", ["clipped"], ["probabilities"]),
        make("Squeeze", ["probabilities", "last_axis"], ["probability"]),
    ]
