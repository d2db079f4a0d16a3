"""A block of one image at the places of another's grid, from no more pixels than it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import ImageEntry
from scopezoo.image import Image, arranged

Matrix = NDArray[np.float64]
Block = tuple[slice, slice, slice]
MARGIN_PX = {0: 1, 1: 1, 3: 12}
"""By order of the spline: what is read around a block. The influence of a pixel on a cubic spline
falls by 0.27 with each pixel."""
EDGE_PX = 1e-3
"""Places so little beyond the last pixel count as inside."""


@dataclass(frozen=True)
class GriddedImage:
    """One channel of an image as a ZYX grid (Z is 1 for a plane), read where it is asked for."""

    image: Image
    voxel_um: tuple[float, float, float]
    channel: int

    @classmethod
    def of(cls, image: Image, entry: ImageEntry) -> GriddedImage:
        """The channel that `entry` means; a plane's voxels are as long in z as in x."""
        voxel = entry.voxel_um
        channel = 0 if entry.channel is None else image.channel_index(entry.channel)
        return cls(image, (voxel.z or voxel.x, voxel.y, voxel.x), channel)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        return self.image.size("Z"), self.image.size("Y"), self.image.size("X")

    @property
    def is_plane(self) -> bool:
        return self.shape[0] == 1

    def read(self, block: Block) -> NDArray[np.float32]:
        """float32, ZYX."""
        z, y, x = block
        channel = slice(self.channel, self.channel + 1)
        pixels = self.image.read(C=channel, Z=z, Y=y, X=x)
        return arranged(pixels, tuple(self.image.axes), ("Z", "Y", "X")).astype(np.float32)


def index_matrix(to_moving: Matrix, fixed: GriddedImage, moving: GriddedImage) -> Matrix:
    """4×4 from voxel indices of `fixed` to those of `moving`; `to_moving` is in µm."""
    matrix: Matrix = (
        np.diag([*(1 / np.array(moving.voxel_um)), 1.0])
        @ to_moving
        @ np.diag([*fixed.voxel_um, 1.0])
    )
    if moving.is_plane:
        matrix[0] = [0, 0, 0, 0]
    return matrix


def inverse(matrix: Matrix) -> Matrix:
    """The way back."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def corners(block: Block) -> NDArray[np.float64]:
    """Indices of the first and last voxels of a block, (8, 3)."""
    return np.array(list(product(*((part.start, part.stop - 1) for part in block))), np.float64)


def is_inside(block: Block, matrix: Matrix, shape: tuple[int, int, int]) -> bool:
    """Whether the whole of a block of the fixed grid lies in the moving image."""
    places = corners(block) @ matrix[:3, :3].T + matrix[:3, 3]
    last = np.array(shape) - 1
    return bool(((places >= -EDGE_PX) & (places <= last + EDGE_PX)).all())


def sampled_block(
    moving: GriddedImage,
    matrix: Matrix,
    block: Block,
    order: int = 1,
    beyond: Literal["nearest", "constant"] = "nearest",
) -> NDArray[np.float32]:
    """`moving` at the voxels of `block`, float32 ZYX; beyond it, its edge or 0 ("constant").

    `matrix` is that of `index_matrix`; `order` is that of the spline, 0, 1 or 3. The block is
    interpolated once, from the pixels as they were taken, by `scipy.ndimage.affine_transform`.
    """
    from scipy.ndimage import affine_transform

    starts = np.array([part.start for part in block], np.float64)
    sizes = tuple(part.stop - part.start for part in block)
    places = corners(block) @ matrix[:3, :3].T + matrix[:3, 3]
    margin = MARGIN_PX[order]
    last = np.array(moving.shape) - 1
    low = np.clip(np.floor(places.min(axis=0)).astype(int) - margin, 0, last)
    high = np.clip(np.ceil(places.max(axis=0)).astype(int) + margin, 0, last)
    needed = tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    pixels = moving.read((needed[0], needed[1], needed[2]))
    offset = matrix[:3, :3] @ starts + matrix[:3, 3] - low
    linear = matrix[:3, :3]
    if moving.is_plane:
        flat = affine_transform(
            pixels[0], linear[1:, 1:], offset[1:], sizes[1:], order=order, mode=beyond
        )
        return np.repeat(flat[None], sizes[0], axis=0)
    values: NDArray[np.float32] = affine_transform(
        pixels, linear, offset, sizes, order=order, mode=beyond
    )
    return values
