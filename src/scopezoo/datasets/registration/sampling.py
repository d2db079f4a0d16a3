"""A volume at the places of another grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.matrices import Matrix
from scopezoo.datasets.registration.volume import Volume


def index_matrix(source: Volume, to_source: Matrix, grid: Volume) -> Matrix:
    """4×4 from voxel indices of the grid to those of the source."""
    from_index = np.diag([*grid.spacing_um, 1.0])
    from_index[:3, 3] = grid.origin_um
    to_index = np.diag([*1 / source.spacing_um, 1.0])
    to_index[:3, 3] = -source.origin_um / source.spacing_um
    matrix: Matrix = to_index @ to_source @ from_index
    return matrix


def sampled(
    source: Volume, to_source: Matrix, grid: Volume, order: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The source at the grid's voxels (0 outside), and where the source has them.

    `to_source` takes micrometres of the grid to those of the source.
    """
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
    within = np.ones(grid.shape, bool)
    for axis, size in enumerate(source.shape):
        if source.is_plane and axis == 0:
            continue
        row = matrix[axis]
        index = row[0] * z + row[1] * y + row[2] * x + row[3]
        within &= (index >= -1e-3) & (index <= size - 1 + 1e-3)
    return within
