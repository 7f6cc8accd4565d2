"""A head as an ONNX graph: normalise, affine, sigmoid, over named float32 arrays, and its trees beside that.

The inputs are `hand`, float32 (n, hand features), and, for a head that has seen embeddings, `embedding`, float32
(n, 384), zeros where there is none. The output is `probability`, float32 (n,).
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from shammah import __version__, features
from shammah.features import EMBEDDING_WIDTH
from shammah.forest import SUREST, Forest
from shammah.heads import BIAS, Head
from shammah.learners import FLATTEST
from shammah.sight import HeadName, names_of

OPSET, TREES_OPSET, TREES_DOMAIN, FORMAT = 17, 3, "ai.onnx.ml", 8
"""Of the operators, of those for trees, and of the file: what onnxruntime 1.14 and later read."""

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
    nodes = [*_normalise(head), *_affine(arrays), *_pool(head.forest), *_squash()]
    body = helper.make_graph(nodes, name, inputs, [output], constants)
    operators = [helper.make_opsetid("", OPSET)]
    if head.forest is not None:
        operators.append(helper.make_opsetid(TREES_DOMAIN, TREES_OPSET))
    model = helper.make_model(body, opset_imports=operators, ir_version=FORMAT)
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
    if head.forest is not None:
        count = len(head.forest.roots)
        values |= {
            "own_from": np.array([head.prior.trees_from]),
            "own_to": np.array([head.hand_width]),
            "trees": np.array(count),
            "fewest": np.array(SUREST * count),
            "most": np.array((1 - SUREST) * count),
            "half": np.array(0.5),
        }
    whole = ("last_axis", "first", "next", "own_from", "own_to")
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


def _pool(forest: Forest | None) -> list[NodeProto]:
    """The mean of the line's log-odds and the trees', (n, 1)."""
    make = helper.make_node
    clipped = make("Clip", ["averaged", "steepest", "flattest"], ["line"])
    if forest is None:
        return [clipped, make("Identity", ["line"], ["pooled"])]
    return [
        clipped,
        make("Slice", ["hand", "own_from", "own_to", "last_axis"], ["own"]),
        make("TreeEnsembleRegressor", ["own"], ["votes"], domain=TREES_DOMAIN, **_trees(forest)),
        make("Clip", ["votes", "fewest", "most"], ["good"]),
        make("Sub", ["trees", "good"], ["bad"]),
        make("Div", ["good", "bad"], ["odds"]),
        make("Log", ["odds"], ["vote"]),
        make("Add", ["line", "vote"], ["both"]),
        make("Mul", ["both", "half"], ["pooled"]),
    ]


def _trees(forest: Forest) -> dict[str, Any]:
    """The attributes of the operator that sums the leaves' shares over all trees."""
    of_tree = _tree_of(forest)
    order = np.argsort(of_tree, kind="stable")  # the operator wants tree after tree, the root first
    number = np.empty(len(order), dtype=np.int64)  # of a node within its tree
    number[order] = np.arange(len(order)) - np.searchsorted(of_tree[order], of_tree[order])
    is_leaf = forest.child == np.arange(len(order))
    left, right = number[forest.child], number[np.where(is_leaf, 0, forest.child + 1)]
    leaves = order[is_leaf[order]]
    return {
        "aggregate_function": "SUM",
        "n_targets": 1,
        "nodes_treeids": of_tree[order].tolist(),
        "nodes_nodeids": number[order].tolist(),
        "nodes_featureids": forest.feature[order].tolist(),
        "nodes_modes": ["LEAF" if leaf else "BRANCH_LEQ" for leaf in is_leaf[order]],
        "nodes_values": np.where(is_leaf, 0, forest.bar)[order].tolist(),
        "nodes_truenodeids": np.where(is_leaf, 0, left)[order].tolist(),
        "nodes_falsenodeids": np.where(is_leaf, 0, right)[order].tolist(),
        "target_treeids": of_tree[leaves].tolist(),
        "target_nodeids": number[leaves].tolist(),
        "target_ids": [0] * len(leaves),
        "target_weights": forest.value[leaves].tolist(),
    }


def _tree_of(forest: Forest) -> NDArray[np.int64]:
    """The tree of each node, (nodes,): a node comes before its children."""
    found = np.zeros(len(forest.value), dtype=np.int64)
    found[forest.roots] = np.arange(len(forest.roots))
    for place, child in enumerate(forest.child):
        if child != place:
            found[child : child + 2] = found[place]
    return found


def _squash() -> list[NodeProto]:
    make = helper.make_node
    return [
        make("Sigmoid", ["pooled"], ["probabilities"]),
        make("Squeeze", ["probabilities", "last_axis"], ["probability"]),
    ]
