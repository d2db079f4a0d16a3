"""Whether a transform can be that of two microscopes that look at one field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.sampling import GriddedImage, index_matrix, inverse

MAX_SCALE = 1.5
"""In µm nothing grows; more than this, and a voxel size or the registration is wrong."""
USUAL_SCALE = 1.1
MAX_TILT_DEG = 15.0
"""Of the optical axis: stages lie flat, though fields turn about z."""
MIN_OVERLAP = 0.1
OVERLAP_STEPS = 24


def transform_problems(matrix: NDArray[np.float64]) -> tuple[list[str], list[str]]:
    """Errors and warnings about a 4×4 matrix from source to target in µm (z, y, x)."""
    linear = matrix[:3, :3]
    determinant = float(np.linalg.det(linear))
    if not np.isfinite(matrix).all() or abs(determinant) < 1e-9:
        return ["the transform cannot be inverted"], []
    if determinant < 0:
        return ["the transform mirrors the image: an axis is swapped or runs backwards"], []
    scales = np.linalg.svd(linear, compute_uv=False)
    errors: list[str] = []
    warnings: list[str] = []
    if scales.max() > MAX_SCALE or scales.min() < 1 / MAX_SCALE:
        errors.append(
            f"the transform stretches by {scales.min():.3g} to {scales.max():.3g}: a voxel size or "
            "the registration is wrong"
        )
    elif scales.max() > USUAL_SCALE or scales.min() < 1 / USUAL_SCALE:
        warnings.append(f"the transform stretches by {scales.min():.3g} to {scales.max():.3g}")
    axis = linear[:, 0] / np.linalg.norm(linear[:, 0])
    tilt = float(np.rad2deg(np.arccos(np.clip(axis[0], -1, 1))))
    if tilt > MAX_TILT_DEG:
        errors.append(f"the transform tilts the optical axis by {tilt:.0f}°: z is swapped or wrong")
    return errors, warnings


def overlap_fraction(
    source: GriddedImage, target: GriddedImage, source_to_target: NDArray[np.float64]
) -> float:
    """How much of the smaller image the other one shows, from evenly spread places."""
    return max(
        _covered(source, target, source_to_target),
        _covered(target, source, inverse(source_to_target)),
    )


def _covered(fixed: GriddedImage, moving: GriddedImage, to_moving: NDArray[np.float64]) -> float:
    axes = [np.linspace(0, n - 1, min(n, OVERLAP_STEPS)) for n in fixed.shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    matrix = index_matrix(to_moving, fixed, moving)
    index = places @ matrix[:3, :3].T + matrix[:3, 3]
    within = (index >= -0.5) & (index <= np.array(moving.shape) - 0.5)
    return float(within.all(axis=1).mean())
