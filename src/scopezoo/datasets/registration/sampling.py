"""A volume at the places of another grid."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.matrices import Matrix, Points, applied
from scopezoo.datasets.registration.volume import Volume
from scopezoo.datasets.smooth import Smooth

PLACES_AT_ONCE = 1 << 21
"""Of a grid whose places do not lie on a lattice of the source, and must be kept one by one."""


def index_matrix(source: Volume, to_source: Matrix, grid: Volume) -> Matrix:
    """4×4 from voxel indices of the grid to those of the source."""
    from_index = np.diag([*grid.spacing_um, 1.0])
    from_index[:3, 3] = grid.origin_um
    to_index = np.diag([*1 / source.spacing_um, 1.0])
    to_index[:3, 3] = -source.origin_um / source.spacing_um
    matrix: Matrix = to_index @ to_source @ from_index
    return matrix


def sampled(
    source: Volume,
    to_source: Matrix,
    grid: Volume,
    order: int = 1,
    smooth: Smooth | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The source at the grid's voxels (0 outside), and where the source has them.

    `to_source` takes micrometres of the grid to those of the source, once `smooth` is undone.
    """
    if smooth is not None:
        return _sampled_smoothly(source, to_source, grid, order, smooth)
    from scipy.ndimage import affine_transform

    matrix = index_matrix(source, to_source, grid)
    if source.is_plane:
        matrix[0] = [0, 0, 0, 0]
    values = affine_transform(
        source.voxels, matrix, output_shape=grid.shape, order=order, mode="constant"
    )
    return values, inside(source, to_source, grid)


def inside(source: Volume, to_source: Matrix, grid: Volume) -> NDArray[np.bool_]:
    """Which voxels of the grid lie in the source."""
    matrix = index_matrix(source, to_source, grid).astype(np.float32)
    z, y, x = np.ogrid[tuple(slice(n) for n in grid.shape)]
    index = [row[0] * z + row[1] * y + row[2] * x + row[3] for row in matrix[:3]]
    return _within(source, index)


def needed_range_um(
    to_source: Matrix, grid: Volume, smooth: Smooth | None
) -> tuple[Points, Points]:
    """Lowest and highest places (z, y, x) of the source that lie in the grid."""
    reach = np.zeros(3) if smooth is None else np.abs(smooth.nodes_um).max(axis=(0, 1, 2))
    ends = np.stack([grid.origin_um - reach, grid.origin_um + grid.extent_um + reach])
    corners = np.array(list(product(*ends.T)))
    places = applied(to_source, corners)
    return places.min(axis=0), places.max(axis=0)


def _sampled_smoothly(
    source: Volume, to_source: Matrix, grid: Volume, order: int, smooth: Smooth
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    from scipy.ndimage import map_coordinates, spline_filter

    voxels = source.voxels
    if order > 1:
        voxels = spline_filter(voxels, order, np.float32, mode="constant")
    values = np.empty(grid.shape, np.float32)
    within = np.empty(grid.shape, bool)
    thick = max(1, PLACES_AT_ONCE // (grid.shape[1] * grid.shape[2]))
    for first in range(0, grid.shape[0], thick):
        part = slice(first, first + thick)
        index = _indices(source, to_source, grid, part, smooth)
        values[part] = map_coordinates(voxels, index, order=order, mode="constant", prefilter=False)
        within[part] = _within(source, list(index))
    return values, within


def _indices(
    source: Volume, to_source: Matrix, grid: Volume, planes: slice, smooth: Smooth
) -> NDArray[np.float64]:
    """Indices (3, Z, Y, X) of the source for some planes of the grid."""
    axes = [np.arange(n) for n in grid.shape]
    axes[0] = axes[0][planes]
    lattice: Points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    places = smooth.undone(grid.origin_um + lattice * grid.spacing_um)
    index = (applied(to_source, places) - source.origin_um) / source.spacing_um
    if source.is_plane:
        index[..., 0] = 0
    return np.moveaxis(index, -1, 0)


def _within(source: Volume, index: list[NDArray[np.floating]]) -> NDArray[np.bool_]:
    shape = np.broadcast_shapes(*(one.shape for one in index))
    within = np.ones(shape, bool)
    for axis, size in enumerate(source.shape):
        if source.is_plane and axis == 0:
            continue
        within &= (index[axis] >= -1e-3) & (index[axis] <= size - 1 + 1e-3)
    return within


def thinned(volume: Volume, voxels: int) -> Volume:
    """Every so many-th row and column, so that about `voxels` are left; nothing is averaged."""
    step = max(1, int(np.ceil((volume.voxels.size / voxels) ** 0.5)))
    spacing = volume.spacing_um * np.array([1, step, step])
    return replace(volume, voxels=volume.voxels[:, ::step, ::step], spacing_um=spacing)
