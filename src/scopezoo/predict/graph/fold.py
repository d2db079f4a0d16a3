"""Shape arithmetic: the value of an operator whose inputs are small known constants."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.graph.node import MAX_VALUES, Node
from scopezoo.predict.graph.rules import ELEMENTWISE
from scopezoo.predict.graph.tensors import MAX_RANK, UnknownError

Array = NDArray[Any]


def fold(node: Node) -> Array | None:
    """The output's value, or None where an input is no small constant or it would be a large one.

    Only integer and logical arithmetic on shapes, scales and paddings is done here; what takes part
    in it has at most `MAX_VALUES` elements.
    """
    operation = FOLDS.get(node.op)
    if operation is None or node.n_outputs != 1:
        return None
    values = [None if tensor is None else tensor.value for tensor in node.inputs]
    missing = [v is None and t is not None for v, t in zip(values, node.inputs, strict=True)]
    if not values or values[0] is None or any(missing) or grows(node, values):
        return None
    with np.errstate(all="ignore"):
        result = np.asarray(operation(node, values))
    if result.size > MAX_VALUES or result.ndim > MAX_RANK:
        return None
    return result


def grows(node: Node, values: list[Any]) -> bool:
    """Whether broadcasting or concatenation would make something large of small inputs."""
    given = [value for value in values if value is not None]
    if node.op in ELEMENTWISE:
        return prod(np.broadcast_shapes(*(value.shape for value in given))) > MAX_VALUES
    return bool(sum(value.size for value in given) > 2 * MAX_VALUES)


def divide(a: Array, b: Array) -> Array:
    """Integers are divided towards zero."""
    if a.dtype.kind in "iu":
        return np.asarray(np.trunc(np.divide(a, b))).astype(a.dtype)
    return np.asarray(np.divide(a, b))


def modulo(node: Node, values: list[Any]) -> Array:
    return np.asarray((np.fmod if node.integer("fmod", 0) else np.mod)(values[0], values[1]))


def cast(node: Node, values: list[Any]) -> Array:
    from onnx import helper

    return np.asarray(values[0].astype(helper.tensor_dtype_to_np_dtype(node.integer("to", 1))))


def concatenate(node: Node, values: list[Any]) -> Array:
    return np.asarray(np.concatenate(values, axis=node.integer("axis", 0)))


def take(node: Node, values: list[Any]) -> Array:
    indices = values[1].astype(np.int64)
    if values[0].size * max(indices.size, 1) > MAX_VALUES * 16:
        raise UnknownError("Gather of many")
    return np.asarray(np.take(values[0], indices, axis=node.integer("axis", 0)))


def cut(node: Node, values: list[Any]) -> Array:
    starts, ends = node.numbers(1, "starts") or [], node.numbers(2, "ends") or []
    axes = node.numbers(3, "axes") or list(range(len(starts)))
    steps = node.numbers(4, "steps") or [1] * len(starts)
    index: list[slice] = [slice(None)] * values[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        stop = None if step < 0 and end < -(1 << 31) else int(end)
        index[int(axis)] = slice(int(start), stop, int(step))
    return np.asarray(values[0][tuple(index)])


def reshaped(node: Node, values: list[Any]) -> Array:
    target = [int(size) for size in node.numbers(1, "shape") or []]
    target = [size or values[0].shape[i] for i, size in enumerate(target)]
    return np.asarray(values[0].reshape(target))


def squeezed(node: Node, values: list[Any]) -> Array:
    axes = node.numbers(1, "axes")
    return np.asarray(
        np.squeeze(values[0], axis=None if axes is None else tuple(int(a) for a in axes))
    )


def unsqueezed(node: Node, values: list[Any]) -> Array:
    return np.expand_dims(values[0], tuple(int(a) for a in node.numbers(1, "axes") or []))


def expanded(node: Node, values: list[Any]) -> Array:
    target = [int(size) for size in node.numbers(1, "shape") or []]
    if prod(target) > MAX_VALUES:
        raise UnknownError("Expand to many")
    return np.asarray(values[0] * np.ones(target, dtype=values[0].dtype))


def transposed(node: Node, values: list[Any]) -> Array:
    return np.transpose(values[0], node.attribute("perm"))


def reduced(function: Callable[..., Any]) -> Callable[[Node, list[Any]], Array]:
    def over_axes(node: Node, values: list[Any]) -> Array:
        axes = node.numbers(1, "axes")
        chosen = tuple(int(a) for a in axes) if axes else None
        keep = bool(node.integer("keepdims", 1))
        return np.asarray(function(values[0], axis=chosen, keepdims=keep))

    return over_axes


def binary(function: Callable[..., Any]) -> Callable[[Node, list[Any]], Array]:
    return lambda _, values: np.asarray(function(values[0], values[1]))


def unary(function: Callable[..., Any]) -> Callable[[Node, list[Any]], Array]:
    return lambda _, values: np.asarray(function(values[0]))


def extreme(function: Any) -> Callable[[Node, list[Any]], Array]:
    def of_all(_: Node, values: list[Any]) -> Array:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return np.asarray(result)

    return of_all


FOLDS: dict[str, Callable[[Node, list[Any]], Array]] = {
    "Abs": unary(np.abs),
    "Add": binary(np.add),
    "And": binary(np.logical_and),
    "Cast": cast,
    "Ceil": unary(np.ceil),
    "Concat": concatenate,
    "Div": binary(divide),
    "Equal": binary(np.equal),
    "Expand": expanded,
    "Floor": unary(np.floor),
    "Gather": take,
    "Greater": binary(np.greater),
    "GreaterOrEqual": binary(np.greater_equal),
    "Identity": unary(np.asarray),
    "Less": binary(np.less),
    "LessOrEqual": binary(np.less_equal),
    "Max": extreme(np.maximum),
    "Min": extreme(np.minimum),
    "Mod": modulo,
    "Mul": binary(np.multiply),
    "Neg": unary(np.negative),
    "Not": unary(np.logical_not),
    "Or": binary(np.logical_or),
    "ReduceMax": reduced(np.max),
    "ReduceMin": reduced(np.min),
    "ReduceProd": reduced(np.prod),
    "ReduceSum": reduced(np.sum),
    "Reshape": reshaped,
    "Round": unary(np.round),
    "Slice": cut,
    "Sqrt": unary(np.sqrt),
    "Squeeze": squeezed,
    "Sub": binary(np.subtract),
    "Transpose": transposed,
    "Unsqueeze": unsqueezed,
    "Where": lambda _, values: np.where(values[0], values[1], values[2]),
}
