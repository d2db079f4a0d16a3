"""The source in the target's grid: interpolated once, from raw, region by region."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.matrices import Matrix
from scopezoo.datasets.registration.sampling import needed_range_um, sampled
from scopezoo.datasets.registration.volume import SPACE, Volume, read_box, voxel_size_um
from scopezoo.datasets.smooth import Smooth
from scopezoo.image import Image, arranged

Interpolation = Literal["linear", "cubic"]
BLOCK_PX = {"Z": 32, "Y": 512, "X": 512}
"""That are computed and written at a time; whole chunks of an OME-Zarr."""
MARGIN_VOXELS = {"linear": 1, "cubic": 12}
"""Beyond this, a voxel has no more say in the value of a place (cubic: less than 1e-6)."""


def resample(
    source: Image,
    target_grid: Image,
    matrix: Matrix,
    interpolation: Interpolation = "linear",
    smooth: Smooth | None = None,
) -> Image:
    """The source as the target's microscope would have sampled it; 0 where it has nothing.

    Lazy: a region is computed, from the raw voxels that it needs, when it is read. Frames, channels
    and number type are the source's; planes, rows, columns and pixel size the target's. `matrix`
    is from source to target, `smooth` what is added to it.
    """
    axes = "".join(axis for axis in source.axes if axis not in SPACE)
    axes += "".join(axis for axis in SPACE if axis in target_grid.axes)
    return Image(
        Resampled(source, target_grid, matrix, axes, interpolation, smooth),
        axes,
        dict(target_grid.pixel_size_um),
        source.frame_interval_s,
        source.channel_names,
        source.source,
    )


class Resampled:
    """A lazy array, see `resample`; `axes` are its axes."""

    def __init__(
        self,
        source: Image,
        target_grid: Image,
        matrix: Matrix,
        axes: str,
        interpolation: Interpolation,
        smooth: Smooth | None,
    ) -> None:
        self.source = source
        self.axes = axes
        self.to_source = np.linalg.inv(matrix)
        self.interpolation = interpolation
        self.smooth = smooth
        self.spacing_um = voxel_size_um(target_grid)
        sizes = {axis: (target_grid if axis in SPACE else source).size(axis) for axis in axes}
        self.shape = tuple(sizes[axis] for axis in axes)
        self.dtype = np.dtype(source.dtype)

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        parts = (*region, *[slice(None)] * (len(self.axes) - len(region)))
        ranges = {
            axis: range(*part.indices(size))
            for axis, part, size in zip(self.axes, parts, self.shape, strict=True)
        }
        box = {axis: ranges.get(axis, range(1)) for axis in "TCZYX"}
        steps = tuple(slice(None, None, box[axis].step) for axis in SPACE)
        low = np.array([box[axis].start for axis in SPACE])
        size = tuple(abs(box[a][-1] - box[a][0]) + 1 if len(box[a]) else 0 for a in SPACE)
        result = np.zeros([len(box[axis]) for axis in "TCZYX"], self.dtype)
        if result.size:
            grid = Volume(np.empty(size, np.float32), self.spacing_um, low * self.spacing_um)
            for (t, frame), (c, channel) in product(enumerate(box["T"]), enumerate(box["C"])):
                result[t, c] = self._block(grid, frame, channel)[steps]
        return arranged(result, tuple("TCZYX"), tuple(self.axes))

    def _block(self, grid: Volume, frame: int, channel: int) -> NDArray[Any]:
        spacing = voxel_size_um(self.source)
        lowest, highest = needed_range_um(self.to_source, grid, self.smooth)
        margin = MARGIN_VOXELS[self.interpolation]
        sizes = [self.source.size(axis) for axis in SPACE]
        low = np.clip(np.floor(lowest / spacing).astype(int) - margin, 0, sizes)
        high = np.clip(np.ceil(highest / spacing).astype(int) + margin + 1, 0, sizes)
        if self.source.size("Z") == 1:
            low[0], high[0] = 0, 1
        if (low >= high).any():
            return np.zeros(grid.shape, self.dtype)
        box = [slice(int(a), int(b)) for a, b in zip(low, high, strict=True)]
        voxels = read_box(self.source, channel, box, frame).astype(np.float32)
        values, inside = sampled(
            Volume(voxels, spacing, low * spacing),
            self.to_source,
            grid,
            order=3 if self.interpolation == "cubic" else 1,
            smooth=self.smooth,
        )
        values[~inside] = 0
        return _as_type(values, self.dtype)


def _as_type(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rounded and clipped where the type is a whole number."""
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def write_resampled(
    path: Path,
    source: Image,
    target_grid: Image,
    matrix: Matrix,
    interpolation: Interpolation = "linear",
    smooth: Smooth | None = None,
) -> None:
    """Write `resample`'s image, of the format that the path's ending names, block by block.

    An image that is there is replaced, once the new one is whole. Raises UsageError for an ending
    that cannot be written, FileError where the system refuses.
    """
    from scopezoo.formats import create_image

    image = resample(source, target_grid, matrix, interpolation, smooth)
    temporary = path.with_name(f".partial.{path.name}")
    remove(temporary)
    writer = create_image(
        temporary, shape=image.shape, dtype=image.dtype, axes=image.axes, like=image
    )
    sides = [BLOCK_PX.get(axis, 1) for axis in image.axes]
    starts = [range(0, n, side) for n, side in zip(image.shape, sides, strict=True)]
    for corner in product(*starts):
        region = tuple(
            slice(start, min(start + side, n))
            for start, side, n in zip(corner, sides, image.shape, strict=True)
        )
        writer[region] = image.data[region]
    writer.close()
    remove(path)
    temporary.rename(path)


def remove(path: Path) -> None:
    """Remove a file, or the folder of a zarr store, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
