"""How each operator of ONNX moves the reach of its inputs to its outputs.

Operators are those of https://onnx.ai/onnx/operators; a rule gets a node whose inputs are known at
the reference size and returns its outputs. It raises UnknownError for what it cannot follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from scopezoo.predict.graph.node import MAX_VALUES, Node
from scopezoo.predict.graph.tensors import (
    Tensor,
    UnknownError,
    axis_size,
    constant,
    constant_value,
    drop_axis,
    join,
    join_spans,
    lose,
    mix,
    plain_axis,
    reshape,
    spread,
    unbounded,
    window,
)

Rule = Callable[[Node], list[Tensor]]


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


def mix_all(node: Node, axes: Any) -> Tensor:
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


def transpose(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    order = node.integers("perm", list(range(tensor.rank))[::-1])
    if sorted(order) != list(range(tensor.rank)):
        raise UnknownError(f"Transpose by {order}")
    return [replace(tensor, axes=tuple(tensor.known_axes[i] for i in order), value=None)]


def reshape_to(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    target = [int(size) for size in node.numbers(1, "shape") or []]
    if not node.integer("allowzero", 0):
        target = [size or tensor.shape[i] for i, size in enumerate(target)]
    if target.count(-1) == 1:
        known = prod(size for size in target if size != -1)
        target[target.index(-1)] = prod(tensor.shape) // known
    return [reshape(tensor, target)]


def flatten(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    axis = node.integer("axis", 1)
    axis = axis + tensor.rank if axis < 0 else axis
    return [reshape(tensor, (prod(tensor.shape[:axis]), prod(tensor.shape[axis:])))]


def squeeze(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    wanted = node.numbers(1, "axes")
    if wanted is None:
        wanted = [i for i, size in enumerate(tensor.shape) if size == 1]
    axes = {node.axis(int(a), tensor.rank) for a in wanted}
    return [reshape(tensor, [s for i, s in enumerate(tensor.shape) if i not in axes])]


def unsqueeze(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    wanted = node.numbers(1, "axes") or []
    rank = tensor.rank + len(wanted)
    axes = {node.axis(int(a), rank) for a in wanted}
    sizes = iter(tensor.shape)
    return [reshape(tensor, [1 if i in axes else next(sizes) for i in range(rank)])]


def expand(node: Node) -> list[Tensor]:
    target = node.numbers(1, "shape") or []
    return [join([node.tensor(), constant([int(s) for s in target], node.n_spatial)], node.op)]


def tile(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    repeats = node.numbers(1, "repeats") or []
    for position, count in enumerate(repeats):
        if count != 1 and tensor.shape[position] == 1:
            axes = list(tensor.known_axes)
            axes[position] = plain_axis(int(count), node.n_spatial)
            tensor = replace(tensor, axes=tuple(axes), value=None)
        elif count != 1:
            size = tensor.shape[position] * int(count)
            tensor = mix(tensor, position, size, node.op, node.extent)
    return [tensor]


def concat(node: Node) -> list[Tensor]:
    tensors = [t for t in node.inputs if t is not None]
    if len(tensors) == 1:
        return tensors
    position = node.axis(node.integer("axis", 1), tensors[0].rank)
    total = sum(t.shape[position] for t in tensors)
    if any(any(f.step) for t in tensors for f in t.known_axes[position]):
        raise UnknownError("Concat along an axis of space")
    joined = join([mix(t, position, 1, node.op, node.extent) for t in tensors], node.op)
    axes = list(joined.known_axes)
    axes[position] = plain_axis(total, node.n_spatial)
    return [replace(joined, axes=tuple(axes))]


def split(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    position = node.axis(node.integer("axis", 0), tensor.rank)
    whole = tensor.shape[position]
    sizes = node.numbers(1, "split")
    if sizes is None:
        part = -(-whole // node.n_outputs)
        sizes = [min(part, whole - i * part) for i in range(node.n_outputs)]
    results, start = [], 0
    for size in sizes[: node.n_outputs]:
        results.append(shifted(tensor, position, int(size), start))
        start += int(size)
    return results


def shifted(tensor: Tensor, position: int, size: int, start: int, step: int = 1) -> Tensor:
    begin = Fraction(start)
    return window(tensor, position, size, Fraction(step), begin, begin)


def slice_of(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    starts, ends = node.numbers(1, "starts"), node.numbers(2, "ends")
    if starts is None or ends is None:
        raise UnknownError("Slice without starts and ends")
    axes = node.numbers(3, "axes") or list(range(len(starts)))
    steps = node.numbers(4, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        position = node.axis(int(axis), tensor.rank)
        kept = range(
            *slice(int(start), slice_end(end, step), int(step)).indices(tensor.shape[position])
        )
        if len(kept) != tensor.shape[position] or kept.step != 1:
            tensor = shifted(tensor, position, len(kept), kept.start, kept.step)
    return [tensor]


def slice_end(end: int, step: int) -> int | None:
    """ONNX writes "down to the first index" as a very negative end."""
    return None if step < 0 and end < -(1 << 31) else int(end)


def gather(node: Node) -> list[Tensor]:
    data, indices = node.tensor(0), node.tensor(1)
    position = node.axis(node.integer("axis", 0), data.rank)
    before, after = data.known_axes[:position], data.known_axes[position + 1 :]
    chosen = indices.value
    if chosen is not None and chosen.ndim <= 1:
        found = np.atleast_1d(chosen).astype(np.int64) % data.shape[position]
        jumps = set(np.diff(found).tolist()) or {1}
        if len(jumps) == 1 and 0 not in jumps:
            part = shifted(data, position, len(found), int(found[0]), jumps.pop())
            return [part if chosen.ndim else drop_axis(part, position)]
    mixed = mix(data, position, 1, node.op, node.extent)
    spans = join_spans([mixed.spans, indices.spans], node.n_spatial)
    return [Tensor(before + indices.known_axes + after, spans, item_bytes=data.item_bytes)]


def pad(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    amounts = node.numbers(1, "pads")
    if amounts is None:
        raise UnknownError("Pad without pads")
    axes = node.numbers(3, "axes") or list(range(len(amounts) // 2))
    mode = node.attribute("mode", "constant")
    half = len(axes)
    for number, axis in enumerate(axes):
        position = node.axis(int(axis), tensor.rank)
        before, after = int(amounts[number]), int(amounts[number + half])
        if not before and not after:
            continue
        size = tensor.shape[position] + before + after
        if mode == "wrap":
            tensor = lose(tensor, position, "Pad (wrap)")
        tensor = shifted(tensor, position, size, -before)
    return [tensor]


def depth_to_space(node: Node) -> list[Tensor]:
    """Channels become a block of `blocksize` px; index o comes from floor(o / blocksize)."""
    tensor, block = node.tensor(), node.integer("blocksize", 0)
    _, channels, *space = tensor.shape
    for position, size in enumerate(space, start=2):
        lo = Fraction(1 - block, block)
        stride = Fraction(1, block)
        tensor = window(tensor, position, size * block, stride, lo, Fraction(0))
    return [mix(tensor, 1, channels // block ** len(space), node.op, node.extent)]


def space_to_depth(node: Node) -> list[Tensor]:
    tensor, block = node.tensor(), node.integer("blocksize", 0)
    _, channels, *space = tensor.shape
    for position, size in enumerate(space, start=2):
        hi = Fraction(block - 1)
        tensor = window(tensor, position, size // block, Fraction(block), Fraction(0), hi)
    return [mix(tensor, 1, channels * block ** len(space), node.op, node.extent)]


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


def shape_of(node: Node) -> list[Tensor]:
    shape = node.tensor().shape
    first, last = node.integer("start", 0), node.attribute("end")
    return [constant_value(np.array(shape[slice(first, last)], dtype=np.int64), node.n_spatial)]


def size_of(node: Node) -> list[Tensor]:
    size = np.array(prod(node.tensor().shape), dtype=np.int64)
    return [constant_value(size, node.n_spatial)]


def constant_of_shape(node: Node) -> list[Tensor]:
    from onnx import numpy_helper

    shape = [int(size) for size in node.numbers(0, "shape") or []]
    result = constant(shape, node.n_spatial)
    if prod(shape) > MAX_VALUES:
        return [result]
    filler = node.attributes.get("value")
    value = numpy_helper.to_array(filler.t).reshape(()) if filler else np.float32(0)
    return [constant_value(np.full(shape, value), node.n_spatial)]


def range_of(node: Node) -> list[Tensor]:
    start, limit, delta = (np.asarray(node.value(i)).item() for i in range(3))
    count = max(0, int(np.ceil((limit - start) / delta)))
    if count > MAX_VALUES:
        return [constant([count], node.n_spatial, 8)]
    dtype = node.tensor(0).value
    values = start + delta * np.arange(count)
    return [constant_value(values.astype(None if dtype is None else dtype.dtype), node.n_spatial)]


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
    "Concat": concat,
    "ConstantOfShape": constant_of_shape,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Gemm": gemm,
    "MatMul": matmul,
    "MeanVarianceNormalization": mean_variance_normalization,
    "Pad": pad,
    "Range": range_of,
    "Reshape": reshape_to,
    "Shape": shape_of,
    "Size": size_of,
    "Slice": slice_of,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "TopK": top_k,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
