"""Reads the tensors of format 0.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scopezoo.errors import PackageError
from scopezoo.store.fields import (
    file_reference,
    listed,
    mappings,
    positive,
    required,
    text_or_none,
    whole,
)
from scopezoo.store.tensors import (
    Axis,
    AxisSize,
    FixedSize,
    ReferenceSize,
    SteppedSize,
    Tensor,
    UnknownSize,
)


def parse_tensors_05(rdf: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of a 0.5 description."""
    return _tensors(rdf, "inputs", "preprocessing"), _tensors(rdf, "outputs", "postprocessing")


def _tensors(rdf: Mapping[str, Any], key: str, steps_key: str) -> tuple[Tensor, ...]:
    default_id = key.removesuffix("s")
    return tuple(
        _tensor(entry, f"{key}[{i}]", default_id, steps_key)
        for i, entry in enumerate(mappings(rdf, key, "the description"))
    )


def _tensor(entry: Mapping[str, Any], where: str, default_id: str, steps_key: str) -> Tensor:
    steps = mappings(entry, steps_key, where) if entry.get(steps_key) else []
    return Tensor(
        id=str(entry.get("id", default_id)),
        axes=tuple(
            _axis(axis, f"{where}.axes[{i}]")
            for i, axis in enumerate(mappings(entry, "axes", where))
        ),
        dtype=_dtype(entry.get("data")),
        steps=tuple(steps),
        test_tensor=file_reference(entry.get("test_tensor")),
        sample_tensor=file_reference(entry.get("sample_tensor")),
        optional=entry.get("optional") is True,
    )


def _dtype(data: Any) -> str:
    first = data[0] if isinstance(data, list) and data else data
    return str(first.get("type", "float32")) if isinstance(first, dict) else "float32"


def _axis(entry: Mapping[str, Any], where: str) -> Axis:
    kind = required(entry, "type", where)
    if kind not in ("batch", "channel", "index", "time", "space"):
        raise PackageError(
            f"{where}: axis type {kind!r}; expected batch, channel, index, time, space"
        )
    names = tuple(str(name) for name in listed(entry.get("channel_names", []), where))
    return Axis(
        id=str(entry.get("id", "x" if kind == "space" else kind)),
        type=kind,
        size=_axis_size(entry, kind, names, where),
        halo=whole(entry.get("halo", 0), f"{where}.halo", 0),
        scale=positive(entry.get("scale", 1.0), f"{where}.scale"),
        unit=text_or_none(entry.get("unit")),
        channel_names=names,
    )


def _axis_size(
    entry: Mapping[str, Any], kind: str, channel_names: Sequence[str], where: str
) -> AxisSize:
    if kind == "channel":
        return FixedSize(len(channel_names) or 1)
    size = entry.get("size")
    if size is None:
        return FixedSize(1) if kind == "batch" else UnknownSize()
    if not isinstance(size, dict):
        return FixedSize(whole(size, f"{where}.size", 1))
    if "step" in size:
        return SteppedSize(
            whole(size.get("min"), f"{where}.size.min", 1),
            whole(size.get("step"), f"{where}.size.step", 1),
        )
    if "tensor_id" in size:
        offset = whole(size.get("offset", 0), f"{where}.size.offset", -(2**31))
        return ReferenceSize(str(size["tensor_id"]), str(size.get("axis_id")), offset)
    return UnknownSize()
