"""The residual field: what blocks have in common with their neighbours.

A single block is known to some tenths of a pixel, along a filament worse; a transform's error
varies smoothly. So the field is a polynomial through all blocks, each weighed by what it knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.blocks import Blocks
from scopezoo.datasets.registration.matrices import Points

ROUNDS = 10
OUTLIER = 2.5
"""Blocks count less beyond so many times the usual deviation."""
TERMS = (1, 4, 7)
BLOCKS_PER_TERM = 2


@dataclass(frozen=True)
class Field:
    """A displacement (z, y, x) in µm for every place, fitted to blocks."""

    coefficients: NDArray[np.float64]
    centre_um: Points
    half_um: Points

    def at(self, points_um: Points) -> Points:
        """Displacements (n, 3) at points (n, 3)."""
        terms = _terms(points_um, self.centre_um, self.half_um)
        field: Points = terms[:, : len(self.coefficients)] @ self.coefficients
        return field

    @property
    def stretch(self) -> NDArray[np.float64]:
        """By how much the target is larger than the transform says, along z, y and x; 0.01 is 1 %.

        0 where there were too few blocks to tell.
        """
        if len(self.coefficients) < 4:
            return np.zeros(3)
        return np.array([self.coefficients[1 + a, a] for a in range(3)]) / self.half_um


def fit_field(blocks: Blocks) -> Field:
    """The field through matched blocks (at least one): constant, linear, or with squares.

    Which of the three is what the blocks themselves say (Schwarz, "Estimating the dimension of a
    model", Annals of Statistics 6, 1978): more terms than needed would fit their noise.
    """
    low, high = blocks.centres_um.min(axis=0), blocks.centres_um.max(axis=0)
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9)
    terms = _terms(blocks.centres_um, centre, half)
    allowed = [n for n in TERMS if n == 1 or len(terms) >= n * BLOCKS_PER_TERM]
    fits = [_robust_fit(terms[:, :n], blocks) for n in allowed]
    count = 3 * len(terms)
    # The usual deviation instead of the mean square: outliers must not ask for more terms.
    costs = [
        2 * count * np.log(fit.usual) + 3 * n * np.log(count)
        for n, fit in zip(allowed, fits, strict=True)
    ]
    return Field(fits[int(np.argmin(costs))].coefficients, centre, half)


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


def _terms(points_um: Points, centre_um: Points, half_um: Points) -> NDArray[np.float64]:
    z, y, x = ((points_um - centre_um) / half_um).T
    return np.stack([np.ones(len(z)), z, y, x, y * y, y * x, x * x], axis=1)
