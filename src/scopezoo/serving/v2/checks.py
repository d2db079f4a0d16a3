"""Whether given tensors fit a model, before anything is run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from scopezoo.predict.engine import ALWAYS_WHOLE_PX, Engine
from scopezoo.predict.geometry import legal_sizes, output_size
from scopezoo.serving.errors import HttpError
from scopezoo.serving.v2.datatypes import ProtocolError, datatype_of, shown
from scopezoo.serving.v2.signature import Signature
from scopezoo.store.description import Description
from scopezoo.store.tensors import Axis, FixedSize, ReferenceSize, Tensor

Arrays = Mapping[str, NDArray[Any]]
OUTPUT_BYTES = 8
"""Per element of an output that is processed: no type of the format has more."""


def check_raw(description: Description, signature: Signature, arrays: Arrays) -> None:
    """Raise ProtocolError unless the network takes these tensors as they are."""
    _check_names(description, arrays)
    for tensor, expected in zip(description.inputs, signature.inputs, strict=True):
        if tensor.id not in arrays:
            continue
        array = arrays[tensor.id]
        if array.dtype != expected.dtype:
            raise ProtocolError(
                f"input {tensor.id!r} is {datatype_of(array.dtype)}; the network takes "
                f"{expected.datatype}; parameter processing: true takes any type"
            )
        _check_rank(tensor, array)
        for axis, size in zip(tensor.axes, array.shape, strict=True):
            wanted = _wanted(description, axis, size, arrays)
            if wanted:
                hint = "; parameter processing: true takes any size" if axis.type == "space" else ""
                raise ProtocolError(
                    f"input {tensor.id!r} has size {size} along {axis.id}; the network takes "
                    f"{wanted}{hint}"
                )


def check_images(description: Description, arrays: Arrays) -> None:
    """Raise ProtocolError unless these are one sample's tensors; axes of space have any size."""
    _check_names(description, arrays)
    for tensor in description.inputs:
        if tensor.id not in arrays:
            continue
        array = arrays[tensor.id]
        _check_rank(tensor, array)
        if array.dtype.kind == "b":
            raise ProtocolError(f"input {tensor.id!r} is BOOL; send an image as numbers")
        for axis, size in zip(tensor.axes, array.shape, strict=True):
            fixed = 1 if axis.type == "batch" else None
            if axis.type == "channel" and isinstance(axis.size, FixedSize):
                fixed = axis.size.size
            if fixed is not None and size != fixed:
                raise ProtocolError(
                    f"input {tensor.id!r} has size {size} along {axis.id}; with processing it "
                    f"takes {fixed}"
                )


def check_memory(engine: Engine, arrays: Arrays) -> None:
    """Raise HttpError 413 where the network would need more memory than a run may take.

    Small inputs pass without a look at the network, as they do in the engine.
    """
    first = engine.description.inputs[0]
    px = math.prod(
        size
        for axis, size in zip(first.axes, arrays[first.id].shape, strict=True)
        if axis.type != "channel"
    )
    if px <= ALWAYS_WHOLE_PX:
        return
    needed = round(px * engine.facts.bytes_per_px)
    if needed > engine.memory_bytes:
        raise HttpError(
            413,
            "TooLarge",
            f"the network needs about {needed / 1e6:.0f} MB for {px} px at once, and a run may "
            f"take {engine.memory_bytes / 1e6:.0f} MB; parameter processing: true runs it in tiles",
        )


def check_whole_images(engine: Engine, arrays: Arrays) -> None:
    """Raise HttpError 413 where inputs and outputs do not fit a run's memory as wholes."""
    first = engine.description.inputs[0]
    sizes = dict(zip(first.axis_ids, arrays[first.id].shape, strict=True))
    needed = sum(array.nbytes for array in arrays.values())
    for tensor in engine.description.outputs:
        follows = engine.geometry.finished[tensor.id]
        needed += OUTPUT_BYTES * math.prod(
            output_size(f, sizes[f.axis]) if f is not None else _own_size(axis)
            for axis, f in zip(tensor.axes, follows, strict=True)
        )
    if needed > engine.memory_bytes:
        raise HttpError(
            413,
            "TooLarge",
            f"inputs and outputs have about {needed / 1e6:.0f} MB, and a run may take "
            f"{engine.memory_bytes / 1e6:.0f} MB; send it as a job",
        )


def _own_size(axis: Axis) -> int:
    return axis.size.size if isinstance(axis.size, FixedSize) else 1


def _check_names(description: Description, arrays: Arrays) -> None:
    ids = [tensor.id for tensor in description.inputs]
    unknown = [name for name in arrays if name not in ids]
    if unknown:
        raise ProtocolError(f"no input {shown(unknown[0])}; the model has {', '.join(ids)}")
    missing = [t.id for t in description.inputs if t.id not in arrays and not t.optional]
    if missing or ids[0] not in arrays:
        raise ProtocolError(f"input {(missing or ids)[0]!r} is missing")


def _check_rank(tensor: Tensor, array: NDArray[Any]) -> None:
    if array.ndim != len(tensor.axes):
        raise ProtocolError(
            f"input {tensor.id!r} has {array.ndim} axes; expected {len(tensor.axes)}: "
            f"{', '.join(tensor.axis_ids)}"
        )


def _wanted(description: Description, axis: Axis, size: int, arrays: Arrays) -> str:
    """What sizes an axis may have, in words; nothing if `size` is one of them."""
    if isinstance(axis.size, ReferenceSize):
        tensor = description.tensor(axis.size.tensor)
        if tensor.id not in arrays or arrays[tensor.id].ndim != len(tensor.axes):
            return ""
        followed = tensor.axis(axis.size.axis)
        given = arrays[tensor.id].shape[tensor.axis_ids.index(followed.id)]
        fits = int(given * followed.scale / axis.scale) + axis.size.offset
        return "" if size == fits else f"{fits}, as {tensor.id}.{followed.id} has {given}"
    minimum, step = legal_sizes(axis)
    if step == 0:
        return "" if size == minimum else str(minimum)
    legal = size >= minimum and (size - minimum) % step == 0
    return "" if legal else f"{minimum} + n × {step}"
