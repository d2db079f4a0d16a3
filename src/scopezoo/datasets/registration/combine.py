"""One transform for a session of acquisition, from those of its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.matrices import Matrix, Points, applied
from scopezoo.errors import UsageError

FIELD_UM = (10.0, 100.0, 100.0)
DEVIATIONS = 5.0
"""An outlier is so many times as far from the median as the usual pair."""
ALWAYS_WITHIN_UM = 0.1
"""Pairs that agree to this are never outliers, however well the others agree."""


@dataclass(frozen=True)
class Combined:
    """The median transform, how far each pair's is from it (root mean square, µm) and which of
    them are outliers (indices)."""

    matrix: NDArray[np.float64]
    deviations_um: tuple[float, ...]
    outliers: tuple[int, ...]


def combine(
    transforms: Sequence[NDArray[np.float64]],
    field_um: tuple[float, float, float] = FIELD_UM,
) -> Combined:
    """The median of source-to-target transforms, by where they take the corners of a field.

    `field_um` is the extent of the source along z, y and x. The result is rigid where all are.
    The median is taken again without the outliers.

    Raises UsageError for no transforms, or one that is not a finite 4×4 matrix.
    """
    matrices = [np.asarray(transform, np.float64) for transform in transforms]
    if not matrices:
        raise UsageError("no transforms to combine: expected those of at least one pair")
    if any(m.shape != (4, 4) or not np.isfinite(m).all() for m in matrices):
        raise UsageError("a transform is not a finite 4×4 matrix")
    corners = np.array(list(product((0.0, 1.0), repeat=3))) * field_um
    moved = np.stack([applied(matrix, corners) for matrix in matrices])
    rigid = all(np.allclose(m[:3, :3] @ m[:3, :3].T, np.eye(3), atol=1e-6) for m in matrices)
    deviations = _deviations(moved, np.median(moved, axis=0))
    outliers = _outliers(deviations)
    kept = np.delete(moved, outliers, axis=0)
    matrix = _fitted(corners, np.median(kept, axis=0), rigid)
    final = _deviations(moved, applied(matrix, corners))
    return Combined(matrix, tuple(float(d) for d in final), tuple(int(i) for i in outliers))


def _deviations(moved: NDArray[np.float64], middle: Points) -> NDArray[np.float64]:
    root: NDArray[np.float64] = np.sqrt(((moved - middle) ** 2).sum(axis=2).mean(axis=1))
    return root


def _outliers(deviations: NDArray[np.float64]) -> NDArray[np.intp]:
    limit = max(ALWAYS_WITHIN_UM, DEVIATIONS * float(np.median(deviations)))
    return np.flatnonzero(deviations > limit) if len(deviations) > 2 else np.empty(0, np.intp)


def _fitted(corners: Points, moved: Points, rigid: bool) -> Matrix:
    """Least squares; rigid after Kabsch, Acta Crystallographica A32 (1976)."""
    matrix = np.eye(4)
    if not rigid:
        matrix[:3] = np.linalg.lstsq(np.c_[corners, np.ones(len(corners))], moved, rcond=None)[0].T
        return matrix
    from_middle, to_middle = corners.mean(axis=0), moved.mean(axis=0)
    u, _, v = np.linalg.svd((moved - to_middle).T @ (corners - from_middle))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
    matrix[:3, :3] = turn
    matrix[:3, 3] = to_middle - turn @ from_middle
    return matrix
