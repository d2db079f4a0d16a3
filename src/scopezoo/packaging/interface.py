"""What an ONNX file says of its inputs and outputs, checked by running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.packaging.metadata import InputMetadata, Metadata, SizeRange
from scopezoo.predict.facts import UNKNOWN_STRIDE
from scopezoo.predict.graph import analyse_graph
from scopezoo.predict.graph.read import read_model

SPACE = "zyx"
LEAST_PX = {"z": 8, "y": 64, "x": 64}
"""Smallest declared size of a free axis; what the halo needs may be more."""
DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 11: "float64"}
"""By `onnx.TensorProto.DataType`: those that the format and onnxruntime both have."""


@dataclass(frozen=True)
class Port:
    """An input or output of the network: sizes are None where they are free."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Follows:
    """Output size = size of the first input's axis × scale + offset."""

    scale: Fraction
    offset: int


@dataclass(frozen=True)
class Interface:
    """A network as the package describes it.

    `sizes` are the legal sizes of the first input by axis letter (batch and channel left out),
    `strides` its stride. `follows` says per output how its axes follow the first input's, and
    `channels` how many channels it gives.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    sizes: Mapping[str, int | SizeRange]
    strides: Mapping[str, int]
    follows: tuple[Mapping[str, Follows], ...]
    channels: tuple[int, ...]


def read_interface(content: bytes, metadata: Metadata) -> Interface:
    """Read and try an ONNX file. Raises PackageError with all that does not fit the metadata."""
    model = read_model(content)
    weights = {initializer.name for initializer in model.graph.initializer}
    inputs = _ports([value for value in model.graph.input if value.name not in weights])
    outputs = _ports(list(model.graph.output))
    _check_ports(inputs, outputs, metadata)
    strides = _strides(content, metadata)
    sizes = _sizes(inputs[0], metadata.inputs[0], strides)
    follows, channels = _try(content, inputs, metadata, sizes)
    return Interface(
        inputs,
        outputs,
        sizes=sizes,
        strides=strides,
        follows=follows,
        channels=channels,
    )


def smallest(size: int | SizeRange) -> int:
    """The smallest legal size."""
    return size.min if isinstance(size, SizeRange) else size


def legal(size: int | SizeRange, wanted: int) -> int:
    """The largest legal size that is not above `wanted`, at least the smallest."""
    if not isinstance(size, SizeRange):
        return size
    return size.min + max(0, wanted - size.min) // size.step * size.step


def _ports(values: Sequence[Any]) -> tuple[Port, ...]:
    return tuple(
        Port(
            value.name,
            DTYPES.get(value.type.tensor_type.elem_type, "unknown"),
            tuple(
                int(dim.dim_value) if dim.dim_value > 0 else None
                for dim in value.type.tensor_type.shape.dim
            ),
        )
        for value in values
    )


def _check_ports(inputs: Sequence[Port], outputs: Sequence[Port], metadata: Metadata) -> None:
    problems = []
    for what, ports, described in (
        ("inputs", inputs, metadata.inputs),
        ("outputs", outputs, metadata.outputs),
    ):
        if len(ports) != len(described):
            names = ", ".join(port.name for port in ports)
            problems.append(
                f"{what}: the network has {len(ports)} ({names}), the metadata {len(described)}"
            )
            continue
        for i, (port, entry) in enumerate(zip(ports, described, strict=True)):
            where = f"{what}.{i}"
            if port.dtype == "unknown":
                problems.append(f"{where}: a type that packages do not have; expected float32")
            if port.shape and len(port.shape) != len(entry.axes):
                problems.append(
                    f"{where}.axes: {entry.axes!r} name {len(entry.axes)} axes, the network has "
                    f"{len(port.shape)}"
                )
            elif port.shape:
                problems += _check_axes(where, port, entry.axes, len(entry.channel_names))
    if problems:
        raise PackageError(f"the ONNX file does not fit the metadata: {'; '.join(problems)}")


def _check_axes(where: str, port: Port, axes: str, names: int) -> list[str]:
    problems = []
    sizes = dict(zip(axes, port.shape, strict=True))
    if (sizes.get("b") or 1) != 1:
        problems.append(f"{where}: a fixed batch of {sizes['b']}; export with a batch of 1 or free")
    is_input = where.startswith("inputs")
    if is_input and "c" in axes and sizes["c"] is None and not names:
        problems.append(f"{where}.channel_names: missing, and the network does not say how many")
    if is_input and names and sizes.get("c") not in (None, names):
        problems.append(f"{where}.channel_names: {names} names for {sizes.get('c')} channels")
    return problems


def _strides(content: bytes, metadata: Metadata) -> dict[str, int]:
    space = [[i for i, a in enumerate(entry.axes) if a in SPACE] for entry in metadata.inputs]
    facts = analyse_graph(content, space=space)
    letters = [a for a in metadata.inputs[0].axes if a in SPACE]
    return {
        a: axis.stride_px or UNKNOWN_STRIDE for a, axis in zip(letters, facts.axes, strict=True)
    }


def _sizes(
    port: Port, entry: InputMetadata, strides: Mapping[str, int]
) -> dict[str, int | SizeRange]:
    sizes: dict[str, int | SizeRange] = {}
    shape = port.shape or (None,) * len(entry.axes)
    for letter, fixed in zip(entry.axes, shape, strict=True):
        if letter in "bc":
            continue
        stated = entry.size.get(letter)  # type: ignore[call-overload] # letters are checked
        if fixed is not None:
            if stated not in (None, fixed):
                raise PackageError(
                    f"inputs.0.size.{letter}: {stated}, but the network has a fixed {fixed} there"
                )
            sizes[letter] = fixed
        elif stated is not None:
            sizes[letter] = stated
        else:
            step = strides.get(letter, 1)
            sizes[letter] = SizeRange(min=-(-LEAST_PX.get(letter, 1) // step) * step, step=step)
    return sizes


def _try(
    content: bytes,
    ports: Sequence[Port],
    metadata: Metadata,
    sizes: Mapping[str, int | SizeRange],
) -> tuple[tuple[Mapping[str, Follows], ...], tuple[int, ...]]:
    """Run at the two smallest legal sizes, and compare what comes out."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    tried = [{a: smallest(size) + n * _step(size) for a, size in sizes.items()} for n in (0, 1)]
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        results = [session.run(None, probe_inputs(ports, metadata, size)) for size in tried]
    except Exception as error:  # onnxruntime's exceptions share no public base
        line = " ".join(str(error).split())[:300]
        text = " and ".join(str(size) for size in tried)
        raise PackageError(
            f"the network fails on inputs of {text}: {line}; "
            "give the sizes that it accepts as inputs.0.size"
        ) from error
    follows, channels = [], []
    for number, (entry, small, large) in enumerate(zip(metadata.outputs, *results, strict=True)):
        if np.ndim(small) != len(entry.axes):
            raise PackageError(
                f"outputs.{number}.axes: {entry.axes!r} for an output of shape {np.shape(small)}"
            )
        follows.append(_follows(number, entry.axes, small, large, tried))
        channels.append(small.shape[entry.axes.index("c")] if "c" in entry.axes else 1)
    return tuple(follows), tuple(channels)


def probe_inputs(
    ports: Sequence[Port], metadata: Metadata, sizes: Mapping[str, int], seed: int = 0
) -> dict[str, NDArray[Any]]:
    """Random inputs in 0..1 (whole numbers: 0..100) by name, for the first input's sizes."""
    rng = np.random.default_rng(seed)
    found: dict[str, NDArray[Any]] = {}
    for port, entry in zip(ports, metadata.inputs, strict=True):
        known = dict(zip(entry.axes, port.shape or (None,) * len(entry.axes), strict=True))
        fallback = {"b": 1, "c": len(entry.channel_names) or 1, **sizes}
        shape = [known[a] or fallback.get(a, 1) for a in entry.axes]
        dtype = np.dtype(port.dtype)
        is_float = dtype.kind == "f"
        pixels = rng.random(shape) if is_float else rng.integers(0, 100, shape)
        found[port.name] = pixels.astype(dtype)
    return found


def _step(size: int | SizeRange) -> int:
    return size.step if isinstance(size, SizeRange) else 0


def _follows(
    number: int,
    axes: str,
    small: NDArray[Any],
    large: NDArray[Any],
    tried: Sequence[Mapping[str, int]],
) -> dict[str, Follows]:
    found = {}
    for letter, first, second in zip(axes, small.shape, large.shape, strict=True):
        if letter not in tried[0]:
            continue
        size, grown = tried[0][letter], tried[1][letter] - tried[0][letter]
        if grown:
            scale = Fraction(second - first, grown)
        else:
            whole = first % size == 0 or size % first == 0
            scale = Fraction(first, size) if whole else Fraction(1)
        offset = first - scale * size
        if scale <= 0 or offset.denominator != 1:
            raise PackageError(
                f"outputs.{number}: {letter} is {first} and {second} for inputs of "
                f"{size} and {size + grown}; expected a size that follows the input's"
            )
        found[letter] = Follows(scale, int(offset))
    return found
