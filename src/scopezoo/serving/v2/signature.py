"""The tensors that a network takes and gives, without its pre- and post-processing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scopezoo.errors import PackageError
from scopezoo.predict.chains import DECODING, has_step
from scopezoo.predict.geometry import Follows, geometry_of
from scopezoo.predict.processing import complete_steps
from scopezoo.serving.v2.datatypes import DTYPES
from scopezoo.store.package import Package
from scopezoo.store.tensors import Axis, FixedSize, Tensor

VARIES = -1
_ONNX_TYPES = {
    1: "FP32",
    2: "UINT8",
    3: "INT8",
    4: "UINT16",
    5: "INT16",
    6: "INT32",
    7: "INT64",
    9: "BOOL",
    10: "FP16",
    11: "FP64",
    12: "UINT32",
    13: "UINT64",
}
"""The protocol's names of `TensorProto.DataType`."""
_PLATFORMS = {"onnx": "onnxruntime_onnx", "torchscript": "pytorch_libtorch"}


@dataclass(frozen=True)
class NetworkTensor:
    """An input or output of the network; VARIES in `shape` stands for sizes that are not fixed."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    optional: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        return DTYPES[self.datatype]


@dataclass(frozen=True)
class Signature:
    """What the network of a package takes and gives."""

    platform: str
    inputs: tuple[NetworkTensor, ...]
    outputs: tuple[NetworkTensor, ...]


@dataclass(frozen=True)
class _Declared:
    """A tensor as the ONNX graph declares it; sizes without a number are VARIES."""

    datatype: str | None
    shape: tuple[int, ...]


def read_signature(package: Package) -> Signature:
    """The signature by the ONNX graph, as far as it tells, and by the description.

    Reads and parses the weights: keep what it gives.
    """
    description = package.description
    inputs, outputs = _declared(package)
    follows = geometry_of(description).outputs
    first = description.inputs[0]
    fixed = {axis.id: axis.size.size for axis in first.axes if isinstance(axis.size, FixedSize)}
    return Signature(
        next((_PLATFORMS[f] for f in _PLATFORMS if f in description.weights), "pytorch"),
        tuple(
            NetworkTensor(
                tensor.id,
                _told(declared, _input_datatype(tensor)),
                tuple(map(_input_size, tensor.axes)),
                tensor.optional,
            )
            for tensor, declared in zip(description.inputs, inputs, strict=True)
        ),
        tuple(
            NetworkTensor(
                tensor.id,
                _told(declared, "FP32"),
                _output_shape(tensor, follows[tensor.id], fixed, declared),
            )
            for tensor, declared in zip(description.outputs, outputs, strict=True)
        ),
    )


def _told(declared: _Declared | None, otherwise: str) -> str:
    return (declared and declared.datatype) or otherwise


def _input_datatype(tensor: Tensor) -> str:
    """What the last step of pre-processing gives; floats are computed with 32 bits."""
    last = complete_steps(tensor.steps, tensor.dtype, "input")[-1]
    dtype = str((last.get("kwargs") or {}).get("dtype", "float32"))
    names = {str(known): name for name, known in DTYPES.items() if known.kind != "f"}
    return names.get(dtype, "FP32")


def _input_size(axis: Axis) -> int:
    return axis.size.size if isinstance(axis.size, FixedSize) else VARIES


def _output_shape(
    tensor: Tensor,
    follows: Sequence[Follows | None],
    fixed: dict[str, int],
    declared: _Declared | None,
) -> tuple[int, ...]:
    """Sizes by the input that they follow, else by the graph, else by the description.

    The description of an output that is decoded says what comes after that.
    """
    known = declared.shape if declared and len(declared.shape) == len(tensor.axes) else None
    shape = []
    for i, (axis, f) in enumerate(zip(tensor.axes, follows, strict=True)):
        if f is not None:
            size = fixed.get(f.axis)
            shape.append(VARIES if size is None else math.floor(size * f.scale) + f.offset)
        elif known and known[i] != VARIES:
            shape.append(known[i])
        elif axis.type != "batch" and has_step(tensor, DECODING):
            shape.append(VARIES)
        else:
            shape.append(_input_size(axis))
    return tuple(shape)


def _declared(package: Package) -> tuple[list[_Declared | None], list[_Declared | None]]:
    """Inputs and outputs of the ONNX graph in the order of the description, None if not told."""
    from scopezoo.predict.graph.read import read_model

    description = package.description
    nothing: tuple[list[_Declared | None], list[_Declared | None]] = (
        [None] * len(description.inputs),
        [None] * len(description.outputs),
    )
    weights = description.weights.get("onnx")
    if weights is None:
        return nothing
    try:
        graph = read_model(package.read(weights.file)).graph
    except PackageError:  # said when it is to be run
        return nothing
    constants = {tensor.name for tensor in graph.initializer}
    taken = [value for value in graph.input if value.name not in constants]
    return (
        _in_order(taken, [tensor.id for tensor in description.inputs]),
        _in_order(graph.output, [tensor.id for tensor in description.outputs]),
    )


def _in_order(values: Sequence[Any], ids: Sequence[str]) -> list[_Declared | None]:
    """By id where the graph has all ids, else by position."""
    by_name = {value.name: _declaration(value) for value in values}
    if set(ids) <= set(by_name):
        return [by_name[name] for name in ids]
    found: list[_Declared | None] = list(by_name.values())
    return (found + [None] * len(ids))[: len(ids)]


def _declaration(value: Any) -> _Declared:
    tensor = value.type.tensor_type
    sizes = tuple(d.dim_value if d.dim_value > 0 else VARIES for d in tensor.shape.dim)
    return _Declared(_ONNX_TYPES.get(tensor.elem_type), sizes)
