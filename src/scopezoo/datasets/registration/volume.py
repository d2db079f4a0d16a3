"""One channel of an image as float32 voxels with their places in micrometres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.image import Image, arranged

SPACE = "ZYX"
MAX_VOXELS = 1 << 26
"""A larger image is averaged down along Y and X while it is read, so that memory is bounded."""


@dataclass(frozen=True)
class Volume:
    """float32, ZYX (Z is 1 for a plane), and where it lies.

    `spacing_um` is the distance between neighbours along z, y and x; `origin_um` the place of the
    centre of the first voxel, where the centre of the image's own first voxel is 0.
    """

    voxels: NDArray[np.float32]
    spacing_um: NDArray[np.float64]
    origin_um: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.voxels.shape

    @property
    def is_plane(self) -> bool:
        return self.shape[0] == 1

    @property
    def extent_um(self) -> NDArray[np.float64]:
        """From the first voxel's centre to the last one's."""
        return (np.array(self.shape) - 1) * self.spacing_um

    @property
    def centre_um(self) -> NDArray[np.float64]:
        return self.origin_um + self.extent_um / 2

    def with_voxels(self, voxels: NDArray[np.float32]) -> Volume:
        """Other voxels at the same places."""
        return Volume(voxels, self.spacing_um, self.origin_um)


def voxel_size_um(image: Image) -> NDArray[np.float64]:
    """Distances between neighbours along z, y and x; z of a single plane is that of x.

    Raises UsageError where the image does not know one.
    """
    needed = "ZYX" if image.size("Z") > 1 else "YX"
    missing = [axis for axis in needed if axis not in image.pixel_size_um]
    if missing:
        raise UsageError(
            f"{image.source} has no pixel size along {' and '.join(missing)}: registration works "
            "in micrometres; give it the pixel size"
        )
    size_x = image.pixel_size_um["X"]
    sizes = [image.pixel_size_um[axis] if axis in needed else size_x for axis in SPACE]
    if not all(0 < size < np.inf for size in sizes):
        raise UsageError(f"{image.source}: pixel sizes {sizes} µm, expected lengths above 0")
    return np.array(sizes, dtype=np.float64)


def read_volume(image: Image, channel: int | str | None, max_voxels: int = MAX_VOXELS) -> Volume:
    """The first frame of a channel; what is above `max_voxels` is averaged down along Y and X.

    Raises UsageError where the image has several channels and none is named, or no pixel size;
    IncompatibleImageError for a channel that is not there.
    """
    spacing = voxel_size_um(image)
    index = chosen_channel(image, channel)
    depth, height, width = (image.size(axis) for axis in SPACE)
    factor = max(1, ceil((depth * height * width / max_voxels) ** 0.5))
    factor = min(factor, height, width)
    rows, columns = height // factor, width // factor
    voxels = np.empty((depth, rows, columns), np.float32)
    for z in range(depth):
        plane = read_box(image, index, (slice(z, z + 1), slice(None), slice(None)))[0]
        cut = plane[: rows * factor, : columns * factor]
        voxels[z] = cut.reshape(rows, factor, columns, factor).mean(axis=(1, 3), dtype=np.float32)
    binned = np.array([1, factor, factor])
    return Volume(voxels, spacing * binned, (binned - 1) / 2 * spacing)


def read_box(image: Image, channel: int, box: Sequence[slice], frame: int = 0) -> NDArray[Any]:
    """A box (slices along z, y and x) of a channel in a frame, ZYX."""
    region = {"T": slice(frame, frame + 1), "C": slice(channel, channel + 1)}
    region |= dict(zip(SPACE, box, strict=True))
    return arranged(image.read(**region), tuple(image.axes), tuple(SPACE))


def chosen_channel(image: Image, channel: int | str | None) -> int:
    """Index of the channel; without a name there may be only one."""
    if channel is not None:
        return image.channel_index(channel)
    if image.size("C") > 1:
        names = ", ".join(image.channel_names) or f"0 to {image.size('C') - 1}"
        raise UsageError(f"{image.source} has {image.size('C')} channels ({names}): name one")
    return 0
