"""Rules of the operators that make shapes and constants."""

from __future__ import annotations

from math import prod

import numpy as np

from scopezoo.predict.graph.node import MAX_VALUES, Node, Rule
from scopezoo.predict.graph.tensors import Tensor, constant, constant_value


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


SHAPE_RULES: dict[str, Rule] = {
    "ConstantOfShape": constant_of_shape,
    "Range": range_of,
    "Shape": shape_of,
    "Size": size_of,
}
