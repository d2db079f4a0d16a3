"""4×4 matrices on column vectors (z, y, x, 1) in micrometres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]
Points = NDArray[Any]


def applied(matrix: Matrix, points_um: Points) -> Points:
    """Points (…, 3) in zyx, moved."""
    moved: Points = points_um @ matrix[:3, :3].T + matrix[:3, 3]
    return moved


def about(linear: Matrix, from_um: Points, to_um: Points) -> Matrix:
    """The matrix that turns by `linear` (3×3) and takes the point `from_um` to `to_um`."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = to_um - linear @ from_um
    return matrix


def turn_in_plane(angle_deg: float) -> Matrix:
    """3×3: a turn of (y, x) that takes x towards y."""
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


def scales(matrix: Matrix) -> NDArray[np.float64]:
    """How much longer a step along z, y and x of the source becomes."""
    lengths: NDArray[np.float64] = np.linalg.norm(matrix[:3, :3], axis=0)
    return lengths


def angle_deg(matrix: Matrix) -> float:
    """Angle of the rotation that is nearest to the matrix."""
    u, _, v = np.linalg.svd(matrix[:3, :3])
    return float(np.rad2deg(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1))))


def grid_um(
    shape: tuple[int, ...], spacing_um: Points, origin_um: Points, steps: int = 12
) -> Points:
    """Places of evenly spread voxels of a grid, (n, 3)."""
    axes = [
        o + np.linspace(0, n - 1, min(n, steps)) * s
        for n, s, o in zip(shape, spacing_um, origin_um, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
