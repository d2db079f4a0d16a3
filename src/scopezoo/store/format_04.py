"""Reads the tensors of format 0.4 into the form of 0.5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from scopezoo.errors import PackageError
from scopezoo.store.fields import mappings, number, positive, required, whole
from scopezoo.store.steps_04 import convert_steps_04
from scopezoo.store.tensors import (
    Axis,
    AxisSize,
    AxisType,
    FileReference,
    FixedSize,
    ReferenceSize,
    SteppedSize,
    Tensor,
)

_AXES: dict[str, tuple[str, AxisType]] = {
    "b": ("batch", "batch"),
    "i": ("index", "index"),
    "t": ("time", "time"),
    "c": ("channel", "channel"),
    "z": ("z", "space"),
    "y": ("y", "space"),
    "x": ("x", "space"),
}
MAX_CHANNELS = 10_000


def parse_tensors_04(rdf: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of a 0.4 description.

    In 0.4 an output's size is `input size * scale + 2 * offset`; 0.5 writes the scale as the ratio
    of the axes' scales and the whole offset.
    """
    inputs = tuple(
        _tensor(entry, "preprocessing", f"inputs[{i}]", _test_file(rdf, "test_inputs", i))
        for i, entry in enumerate(mappings(rdf, "inputs", "the description"))
    )
    outputs = tuple(
        _tensor(entry, "postprocessing", f"outputs[{i}]", _test_file(rdf, "test_outputs", i))
        for i, entry in enumerate(mappings(rdf, "outputs", "the description"))
    )
    return inputs, outputs


def _test_file(rdf: Mapping[str, Any], key: str, index: int) -> FileReference | None:
    files = rdf.get(key)
    if not isinstance(files, list) or index >= len(files):
        return None
    return FileReference(str(files[index]))


def _tensor(
    entry: Mapping[str, Any], steps_key: str, where: str, test_tensor: FileReference | None
) -> Tensor:
    letters = str(required(entry, "axes", where))
    unknown = set(letters) - set(_AXES)
    if unknown:
        raise PackageError(f"{where}.axes {letters!r}: expected letters of {''.join(_AXES)}")
    sizes = _sizes(entry, letters, where)
    halo = entry.get("halo") or [0] * len(letters)
    if not isinstance(halo, list) or len(halo) != len(letters):
        raise PackageError(f"{where}.halo: expected {len(letters)} numbers, one per axis")
    axes = tuple(
        _axis(letter, *sizes[i], whole(halo[i], f"{where}.halo", 0))
        for i, letter in enumerate(letters)
    )
    steps = mappings(entry, steps_key, where) if entry.get(steps_key) else []
    dtype = str(entry.get("data_type", "float32"))
    role: Literal["input", "output"] = "input" if steps_key == "preprocessing" else "output"
    return Tensor(
        id=str(required(entry, "name", where)),
        axes=axes,
        dtype=dtype,
        steps=tuple(convert_steps_04(steps, letters, dtype, role, f"{where}.{steps_key}")),
        test_tensor=test_tensor,
    )


def _axis(letter: str, size: AxisSize, scale: float, halo: int) -> Axis:
    name, kind = _AXES[letter]
    names: tuple[str, ...] = ()
    if kind == "channel" and isinstance(size, FixedSize):
        if size.size > MAX_CHANNELS:
            raise PackageError(f"{size.size} channels; expected at most {MAX_CHANNELS}")
        names = tuple(f"channel{i}" for i in range(size.size))
    return Axis(name, kind, size, halo=halo, scale=scale, channel_names=names)


def _sizes(entry: Mapping[str, Any], letters: str, where: str) -> list[tuple[AxisSize, float]]:
    shape = required(entry, "shape", where)
    if isinstance(shape, list):
        return [(FixedSize(size), 1.0) for size in _numbers(shape, letters, where, 1)]
    if not isinstance(shape, dict):
        raise PackageError(f"{where}.shape: expected a list or a mapping")
    if "reference_tensor" in shape:
        return _referring_sizes(shape, letters, where)
    minimum = _numbers(shape.get("min"), letters, where, 1)
    step = _numbers(shape.get("step"), letters, where, 0)
    return [
        (SteppedSize(least, by) if by else FixedSize(least), 1.0)
        for least, by in zip(minimum, step, strict=True)
    ]


def _referring_sizes(
    shape: Mapping[str, Any], letters: str, where: str
) -> list[tuple[AxisSize, float]]:
    scales, offsets = shape.get("scale"), shape.get("offset")
    for values in (scales, offsets):
        if not isinstance(values, list) or len(values) != len(letters):
            raise PackageError(f"{where}.shape: expected {len(letters)} scales and offsets")
    assert isinstance(scales, list)
    assert isinstance(offsets, list)
    sizes: list[tuple[AxisSize, float]] = []
    for letter, scale, offset in zip(letters, scales, offsets, strict=True):
        shift = number(offset, f"{where}.shape.offset")
        if not abs(shift) < 2**30:
            raise PackageError(f"{where}.shape.offset is {offset!r}; expected a number of pixels")
        whole_offset = round(2 * shift)
        if not scale:  # of no size in the reference: the offset alone says it
            sizes.append((FixedSize(max(1, whole_offset)), 1.0))
        else:
            name = _AXES[letter][0]
            reference = ReferenceSize(str(shape["reference_tensor"]), name, whole_offset)
            sizes.append((reference, 1.0 / positive(scale, f"{where}.shape.scale")))
    return sizes


def _numbers(values: Any, letters: str, where: str, least: int) -> list[int]:
    if not isinstance(values, list) or len(values) != len(letters):
        raise PackageError(f"{where}.shape: expected {len(letters)} numbers, one per axis")
    return [whole(value, f"{where}.shape", least) for value in values]
