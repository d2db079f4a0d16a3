"""What an image that is to be written is: shape, axes, meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scopezoo.errors import UsageError
from scopezoo.formats import limits
from scopezoo.image import Image, check_axes

SPACE = "ZYX"


@dataclass(frozen=True)
class NewImage:
    """An image to be written; `labels` is the name of a label image, None for an intensity image.

    `chunks` are the wished chunk sizes by axis letter, where the format has chunks.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    axes: str
    pixel_size_um: Mapping[str, float]
    frame_interval_s: float | None
    channel_names: tuple[str, ...]
    labels: str | None
    chunks: Mapping[str, int]

    @property
    def nbytes(self) -> int:
        return limits.nbytes(self.shape, self.dtype)

    def size(self, axis: str) -> int:
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def order(self, stored_axes: str) -> tuple[int, ...]:
        """For each axis of the image, its index in `stored_axes`."""
        return tuple(stored_axes.index(axis) for axis in self.axes)

    def stored_shape(self, stored_axes: str) -> tuple[int, ...]:
        return tuple(self.size(axis) for axis in stored_axes)


def describe(
    shape: tuple[int, ...],
    dtype: np.dtype,
    axes: str,
    like: Image | None,
    pixel_size_um: Mapping[str, float] | None,
    frame_interval_s: float | None,
    channel_names: tuple[str, ...],
    labels: str | None,
    chunks: Mapping[str, int] | None,
) -> NewImage:
    """A NewImage with what is not given taken from `like`; raises UsageError for what cannot be."""
    check_axes(axes, len(shape))
    if any(size < 1 for size in shape):
        raise UsageError(f"an image of shape {shape} has no pixels")
    channels = shape[axes.index("C")] if "C" in axes else 1
    if like is not None:
        pixel_size_um = like.pixel_size_um if pixel_size_um is None else pixel_size_um
        frame_interval_s = frame_interval_s or like.frame_interval_s
        if not channel_names and not labels and len(like.channel_names) == channels:
            channel_names = like.channel_names
    if channel_names and len(channel_names) != channels:
        raise UsageError(f"{len(channel_names)} channel names for {channels} channels")
    sizes = pixel_size_um or {}
    return NewImage(
        tuple(int(size) for size in shape),
        np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("="),
        axes,
        {axis: float(sizes[axis]) for axis in SPACE if axis in axes and axis in sizes},
        frame_interval_s if "T" in axes else None,
        tuple(channel_names),
        labels,
        chunks or {},
    )
