"""A block of one image at the places of another's grid, from no more pixels than it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import ImageEntry, Side, Transform
from scopezoo.image import Image, arranged

Matrix = NDArray[np.float64]
Block = tuple[slice, slice, slice]
MARGIN_PX = {0: 1, 1: 1, 3: 12}
"""By order of the spline: what is read around a block. The influence of a pixel on a cubic spline
falls by 0.27 with each pixel."""
EDGE_PX = 1e-3
"""Places so little beyond the last pixel count as inside."""
PROBES = 5
"""Places along each axis of a block by which a bent one is known."""


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


@dataclass(frozen=True)
class IndexMap:
    """From voxel indices of the grid that stays to those of the image that is moved.

    `before` (4×4) leads from the indices to µm of the target, `bend` adds or takes away the smooth
    residual there, and `after` leads on. Without a residual, `matrix` is all there is.
    """

    before: Matrix
    after: Matrix
    bend: Callable[[NDArray[Any]], NDArray[Any]] | None = None

    @property
    def matrix(self) -> Matrix:
        """4×4 without the smooth residual."""
        return np.asarray(self.after @ self.before, np.float64)

    def __call__(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """Indices (…, 3)."""
        if self.bend is None:
            return _applied(self.matrix, index)
        return _applied(self.after, self.bend(_applied(self.before, index)))


def index_map(
    transform: Transform, source: GriddedImage, target: GriddedImage, *, onto: Side
) -> IndexMap:
    """How the grid of `onto` looks up the other image."""
    smooth = transform.smooth
    to_um = np.diag([*source.voxel_um, 1.0]), np.diag([*target.voxel_um, 1.0])
    to_index = [inverse(one) for one in to_um]
    for image, matrix in zip((source, target), to_index, strict=True):
        if image.is_plane:
            matrix[0] = 0
    if onto == "source":
        return IndexMap(transform.array @ to_um[0], to_index[1], smooth.applied if smooth else None)
    back = to_index[0] @ inverse(transform.array)
    return IndexMap(to_um[1], back, smooth.undone if smooth else None)


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


def is_inside(block: Block, where: IndexMap | Matrix, shape: tuple[int, int, int]) -> bool:
    """Whether the whole of a block of the fixed grid lies in the moving image."""
    places = _places(block, _as_map(where))
    last = np.array(shape) - 1
    return bool(((places >= -EDGE_PX) & (places <= last + EDGE_PX)).all())


def sampled_block(
    moving: GriddedImage,
    where: IndexMap | Matrix,
    block: Block,
    order: int = 1,
    beyond: Literal["nearest", "constant"] = "nearest",
) -> NDArray[np.float32]:
    """`moving` at the voxels of `block`, float32 ZYX; beyond it, its edge or 0 ("constant").

    `where` is that of `index_map` or `index_matrix`; `order` is that of the spline, 0, 1 or 3. The
    block is interpolated once, from the pixels as they were taken, by `scipy.ndimage`.
    """
    from scipy.ndimage import affine_transform

    where = _as_map(where)
    sizes = tuple(part.stop - part.start for part in block)
    pixels, low = _pixels_around(moving, _places(block, where), order)
    if where.bend is not None:
        return _bent_block(pixels, low, where, block, order, beyond)
    linear = where.matrix[:3, :3]
    offset = where(np.array([part.start for part in block], np.float64)) - low
    if moving.is_plane:
        flat = affine_transform(
            pixels[0], linear[1:, 1:], offset[1:], sizes[1:], order=order, mode=beyond
        )
        return np.repeat(flat[None], sizes[0], axis=0)
    values: NDArray[np.float32] = affine_transform(
        pixels, linear, offset, sizes, order=order, mode=beyond
    )
    return values


def _bent_block(
    pixels: NDArray[np.float32],
    low: NDArray[Any],
    where: IndexMap,
    block: Block,
    order: int,
    beyond: Literal["nearest", "constant"],
) -> NDArray[np.float32]:
    from scipy.ndimage import map_coordinates

    axes = [np.arange(part.start, part.stop) for part in block]
    index = where(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)) - low
    flat = len(pixels) == 1
    values: NDArray[np.float32] = map_coordinates(
        pixels[0] if flat else pixels,
        np.moveaxis(index[..., 1:] if flat else index, -1, 0),
        order=order,
        mode=beyond,
    )
    return values


def _pixels_around(
    moving: GriddedImage, places: NDArray[Any], order: int
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """What of an image has a say at places (n, 3), and the index of its first voxel."""
    margin = MARGIN_PX[order]
    last = np.array(moving.shape) - 1
    low = np.clip(np.floor(places.min(axis=0)).astype(int) - margin, 0, last)
    high = np.clip(np.ceil(places.max(axis=0)).astype(int) + margin, 0, last)
    z, y, x = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    return moving.read((z, y, x)), low


def _as_map(where: IndexMap | Matrix) -> IndexMap:
    return where if isinstance(where, IndexMap) else IndexMap(where, np.eye(4))


def _places(block: Block, where: IndexMap) -> NDArray[np.float64]:
    """Where the corners of a block lie in the moving image; of a bent one, more than them."""
    if where.bend is None:
        return where(corners(block))
    axes = [np.linspace(part.start, part.stop - 1, PROBES) for part in block]
    return where(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3))


def _applied(matrix: Matrix, places: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(places @ matrix[:3, :3].T + matrix[:3, 3], np.float64)
