"""How each operator of ONNX moves the reach of its inputs to its outputs.

Operators are those of https://onnx.ai/onnx/operators; a rule gets a node whose inputs are known at
the reference size and returns its outputs. It raises UnknownError for what it cannot follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from scopezoo.predict.graph.joins import join
from scopezoo.predict.graph.node import Node, Rule
from scopezoo.predict.graph.tensors import (
    Tensor,
    UnknownError,
    axis_size,
    drop_axis,
    join_spans,
    mix,
    spread,
    unbounded,
)


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


POINTWISE = names(
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh "
    "DequantizeLinear Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish HardTanh Identity IsInf "
    "IsNaN LRN LeakyRelu Log Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid "
    "Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu"
)
ELEMENTWISE = names(
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less "
    "LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor"
)
REDUCTIONS = names(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
    "ReduceSum ReduceSumSquare"
)
TRUTHS = names("And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor")
"""Operators whose result is true or false."""
VIEWS = names("Dropout Flatten Identity Reshape Squeeze Unsqueeze")
"""Operators whose result is the same memory."""


def pointwise(node: Node) -> list[Tensor]:
    """One value in, one value out; parameters such as limits and scales are constants."""
    return [join([t for t in node.inputs if t is not None], node.op)] * node.n_outputs


def batch_normalization(node: Node) -> list[Tensor]:
    if node.integer("training_mode", 0):
        return [mix_all(node, range(2, node.tensor().rank))] * node.n_outputs
    return [node.tensor()]


def mix_all(node: Node, axes: Iterable[int]) -> Tensor:
    """Every index along `axes` sees all of them; the shape stays."""
    result = node.tensor()
    for position in axes:
        result = spread(result, position, node.op, node.extent)
    return result


def instance_normalization(node: Node) -> list[Tensor]:
    return [mix_all(node, range(1 if node.op.startswith("Group") else 2, node.tensor().rank))]


def layer_normalization(node: Node) -> list[Tensor]:
    rank = node.tensor().rank
    return [mix_all(node, range(node.axis(node.integer("axis", -1), rank), rank))] * node.n_outputs


def mean_variance_normalization(node: Node) -> list[Tensor]:
    axes = node.attribute("axes", [0, 2, 3])
    return [mix_all(node, [node.axis(axis, node.tensor().rank) for axis in axes])]


def along_axis(node: Node) -> list[Tensor]:
    """Softmax and its like: over one axis since opset 13, over all from `axis` on before."""
    rank = node.tensor().rank
    is_old_softmax = node.op.endswith("max") and node.opset < 13
    default = 1 if is_old_softmax else -1
    axis = node.value(1) if node.op == "CumSum" else node.integer("axis", default)
    first = node.axis(int(np.asarray(axis).item()), rank)
    return [mix_all(node, range(first, rank if is_old_softmax else first + 1))]


def reduce(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    wanted = node.numbers(1, "axes")
    if not wanted and node.integer("noop_with_empty_axes", 0):
        return [tensor]
    axes = wanted if wanted else range(tensor.rank)
    return [collapse(node, tensor, {node.axis(int(a), tensor.rank) for a in axes})]


def arg_reduce(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    return [collapse(node, tensor, {node.axis(node.integer("axis", 0), tensor.rank)})]


def collapse(node: Node, tensor: Tensor, axes: set[int]) -> Tensor:
    for position in sorted(axes, reverse=True):
        tensor = mix(tensor, position, 1, node.op, node.extent)
        if not node.integer("keepdims", 1):
            tensor = drop_axis(tensor, position)
    return tensor


def global_pool(node: Node) -> list[Tensor]:
    return [collapse(node, node.tensor(), set(range(2, node.tensor().rank)))]


def top_k(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    count = node.numbers(1, "k")
    if count is None:
        raise UnknownError("TopK without k")
    position = node.axis(node.integer("axis", -1), tensor.rank)
    return [mix(tensor, position, int(count[0]), node.op, node.extent)] * node.n_outputs


def matmul(node: Node) -> list[Tensor]:
    """[..., m, k] times [..., k, n]: every output sees a whole row and a whole column."""
    left, right = node.tensor(0), node.tensor(1)
    if left.rank < 2 or right.rank < 2:
        raise UnknownError(f"{node.op} with a vector")
    inner = left.shape[-1]
    if inner != right.shape[-2]:
        raise UnknownError(f"{node.op} of sizes {inner} and {right.shape[-2]}")
    rows = mix(left, left.rank - 1, 1, node.op, node.extent)
    columns = mix(right, right.rank - 2, 1, node.op, node.extent)
    result = join([rows, columns], node.op)
    node.macs = prod(result.shape) * inner
    return [result]


def gemm(node: Node) -> list[Tensor]:
    left, right = node.tensor(0), node.tensor(1)
    if left.rank != 2 or right.rank != 2:
        raise UnknownError("Gemm of other than matrices")
    rows = 1 if node.integer("transA", 0) else 0
    columns = 0 if node.integer("transB", 0) else 1
    inner = left.shape[1 - rows]
    mixed = mix(left, 1 - rows, 1, node.op, node.extent)
    spans = join_spans([mixed.spans, right.spans], node.n_spatial)
    if not right.is_constant:
        spans = tuple(unbounded(span, node.op) for span in spans)
    axes = (mixed.known_axes[rows], right.known_axes[columns])
    node.macs = axis_size(axes[0]) * axis_size(axes[1]) * inner
    return [Tensor(axes, spans, item_bytes=left.item_bytes)]


RULES: dict[str, Rule] = {
    **dict.fromkeys(POINTWISE, pointwise),
    **dict.fromkeys(ELEMENTWISE, pointwise),
    **dict.fromkeys(REDUCTIONS, reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), arg_reduce),
    **dict.fromkeys(("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), global_pool),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), instance_normalization),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), layer_normalization),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "CumSum", "LpNormalization"), along_axis),
    "BatchNormalization": batch_normalization,
    "Gemm": gemm,
    "MatMul": matmul,
    "MeanVarianceNormalization": mean_variance_normalization,
    "TopK": top_k,
}
