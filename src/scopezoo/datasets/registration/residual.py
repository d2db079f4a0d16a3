"""The residual field: what blocks have in common with their neighbours.

A single block is known to some tenths of a pixel, along a filament worse; a transform's error
varies smoothly. So the field is a polynomial through all blocks, each weighed by what it knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.blocks import Blocks
from scopezoo.datasets.registration.matrices import Points

ROUNDS = 10
OUTLIER = 2.5
"""Blocks count less beyond so many times the usual deviation."""
PLANE_TERMS = (1, 4, 7)
"""The first so many terms: constant, linear, with squares and product of y and x."""
HIGHEST_IN_Z = 6
"""Degree in z, along which a stage may drift to and fro."""
BLOCKS_PER_TERM = 2
NODES_Z, NODES_YX = 13, 7
"""Of the grid that a field is given on, where it is more than linear."""


@dataclass(frozen=True)
class Field:
    """A displacement (z, y, x) in µm for every place, fitted to blocks.

    `coefficients` (n, 3) are those of the terms `columns`; blocks lay between `low_um` and
    `high_um`.
    """

    coefficients: NDArray[np.float64]
    columns: tuple[int, ...]
    low_um: Points
    high_um: Points

    def at(self, points_um: Points) -> Points:
        """Displacements (n, 3) at points (n, 3)."""
        terms = _terms(points_um, self.low_um, self.high_um)
        field: Points = terms[:, self.columns] @ self.coefficients
        return field

    @property
    def stretch(self) -> NDArray[np.float64]:
        """By how much the target is larger than the transform says, along z, y and x; 0.01 is 1 %.

        0 where there were too few blocks to tell.
        """
        half = np.maximum((self.high_um - self.low_um) / 2, 1e-9)
        linear = np.zeros(3)
        for axis in range(3):
            if 1 + axis in self.columns:
                linear[axis] = self.coefficients[self.columns.index(1 + axis), axis]
        return linear / half

    @property
    def nodes(self) -> tuple[int, int, int]:
        """How many nodes a grid needs along z, y and x to hold it."""
        curved_z, curved_yx = any(column >= 7 for column in self.columns), 4 in self.columns
        in_plane = NODES_YX if curved_yx else 2
        return NODES_Z if curved_z else 2, in_plane, in_plane


def fit_field(blocks: Blocks) -> Field:
    """The field through matched blocks (at least one): constant, linear, with squares, or winding
    along z.

    Which it is, is what the blocks themselves say (Schwarz, "Estimating the dimension of a model",
    Annals of Statistics 6, 1978): more terms than needed would fit their noise.
    """
    low, high = blocks.centres_um.min(axis=0), blocks.centres_um.max(axis=0)
    terms = _terms(blocks.centres_um, low, high)
    allowed = list(_sets_of_terms(blocks))
    fits = [_robust_fit(terms[:, columns], blocks) for columns in allowed]
    count = 3 * len(terms)
    # The usual deviation instead of the mean square: outliers must not ask for more terms.
    costs = [
        2 * count * np.log(fit.usual) + 3 * len(columns) * np.log(count)
        for columns, fit in zip(allowed, fits, strict=True)
    ]
    best = int(np.argmin(costs))
    return Field(fits[best].coefficients, allowed[best], low, high)


def _sets_of_terms(blocks: Blocks) -> list[tuple[int, ...]]:
    """Columns of `_terms` that so many blocks can tell."""
    heights = len(np.unique(np.round(blocks.centres_um[:, 0], 3)))
    sets = []
    for in_plane, degree in product(PLANE_TERMS, range(1, HIGHEST_IN_Z + 1)):
        winding = range(7, 6 + degree)
        columns = tuple(sorted({*range(in_plane), *([1] if winding else []), *winding}))
        enough = len(columns) == 1 or len(blocks.matched) >= len(columns) * BLOCKS_PER_TERM
        if enough and (degree == 1 or heights > degree + 1):
            sets.append(columns)
    return sets


@dataclass(frozen=True)
class _Fit:
    coefficients: NDArray[np.float64]
    usual: float


def _robust_fit(terms: NDArray[np.float64], blocks: Blocks) -> _Fit:
    used = np.abs(terms).max(axis=0) > 1e-6
    weights = np.ones(len(terms))
    field = np.zeros((terms.shape[1], 3))
    usual = 1e-9
    for _ in range(ROUNDS):
        field[used] = _weighted_fit(terms[:, used], blocks, weights)
        rest = blocks.displacements_um - terms @ field
        square = np.einsum("ni,nij,nj->n", rest, blocks.precision_per_um2, rest)
        distance = np.sqrt(np.maximum(square, 0))
        usual = max(float(np.median(distance)), 1e-9)
        weights = np.minimum(1, OUTLIER * usual / np.maximum(distance, 1e-12))
    mean_square = float((np.minimum(distance, OUTLIER * usual) ** 2).mean())
    return _Fit(field, max(mean_square**0.5, 1e-9))


def _weighted_fit(
    terms: NDArray[np.float64], blocks: Blocks, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Coefficients (terms, 3) of the least squares in which each block has a 3×3 precision."""
    precision = blocks.precision_per_um2 * weights[:, None, None]
    count = terms.shape[1] * 3
    normal = np.einsum("np,nq,nij->piqj", terms, terms, precision).reshape(count, count)
    right = np.einsum("np,nij,nj->pi", terms, precision, blocks.displacements_um).reshape(count)
    normal += np.eye(count) * max(np.trace(normal) / count, 1e-12) * 1e-9
    return np.linalg.solve(normal, right).reshape(-1, 3)


def _terms(points_um: Points, low_um: Points, high_um: Points) -> NDArray[np.float64]:
    """1, z, y, x, y², yx, x² and Legendre polynomials of z from the second degree on.

    Beyond the blocks the latter stay as they are there, or they would soon reach the sky.
    """
    half = np.maximum((high_um - low_um) / 2, 1e-9)
    z, y, x = ((points_um - (low_um + high_um) / 2) / half).T
    winding = np.polynomial.legendre.legvander(np.clip(z, -1, 1), HIGHEST_IN_Z)[:, 2:]
    return np.column_stack([np.ones(len(z)), z, y, x, y * y, y * x, x * x, winding])
