"""Tensors and axes of a model, as formats 0.4 and 0.5 both describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

AxisType = Literal["batch", "channel", "index", "time", "space"]


@dataclass(frozen=True)
class FixedSize:
    """Exactly this many pixels."""

    size: int


@dataclass(frozen=True)
class SteppedSize:
    """`minimum + n * step` pixels, n = 0, 1, 2, …"""

    minimum: int
    step: int


@dataclass(frozen=True)
class ReferenceSize:
    """`size(tensor.axis) * scale(tensor.axis) / own scale + offset` pixels."""

    tensor: str
    axis: str
    offset: int = 0


@dataclass(frozen=True)
class UnknownSize:
    """Depends on the data."""


AxisSize = FixedSize | SteppedSize | ReferenceSize | UnknownSize


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor; `scale` is the pixel size in `unit`, relative where unit is None."""

    id: str
    type: AxisType
    size: AxisSize
    halo: int = 0
    scale: float = 1.0
    unit: str | None = None
    channel_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileReference:
    """A file as a package names it, not yet checked."""

    source: str
    sha256: str | None = None


@dataclass(frozen=True)
class Tensor:
    """An input or output; `steps` are its pre- or post-processing in the form of format 0.5."""

    id: str
    axes: tuple[Axis, ...]
    dtype: str = "float32"
    steps: tuple[Mapping[str, Any], ...] = ()
    test_tensor: FileReference | None = None
    sample_tensor: FileReference | None = None
    optional: bool = False

    @property
    def axis_ids(self) -> tuple[str, ...]:
        return tuple(axis.id for axis in self.axes)

    @property
    def space(self) -> tuple[Axis, ...]:
        return tuple(axis for axis in self.axes if axis.type == "space")

    def axis(self, axis_id: str) -> Axis:
        return self.axes[self.axis_ids.index(axis_id)]


@dataclass(frozen=True)
class Weights:
    """One weights entry; `details` is the entry as it stands in the description."""

    format: str
    file: FileReference
    details: Mapping[str, Any]
