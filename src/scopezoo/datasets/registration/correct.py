"""A transform, corrected by what its sub-blocks see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.blocks import Blocks
from scopezoo.datasets.registration.matrices import Matrix, about
from scopezoo.datasets.registration.refine import Model

ROUNDS = 10
OUTLIER = 2.5


def corrected(matrix: Matrix, blocks: Blocks, model: Model) -> Matrix:
    """The matrix of `model` under which matched blocks would see the least displacement.

    Each block counts along the directions in which it knows its place; for small turns.
    """
    from scipy.spatial.transform import Rotation

    middle = blocks.centres_um.mean(axis=0)
    ways = _ways(blocks.centres_um - middle, model)
    values = _robust(ways, blocks)
    shift = values[:3]
    if model == "affine":
        linear = np.eye(3) + values[3:].reshape(3, 3)
    else:
        turn = Rotation.from_rotvec(values[3:6])
        linear = turn.as_matrix() * (1 + (values[6] if model == "similarity" else 0))
    result: Matrix = about(linear, middle, middle + shift) @ matrix
    return result


def _ways(places_um: NDArray[np.float64], model: Model) -> NDArray[np.float64]:
    """Displacements (n, 3, parameters) that a unit of each parameter gives."""
    count = len(places_um)
    shifts = np.broadcast_to(np.eye(3), (count, 3, 3))
    if model == "affine":
        bends = np.zeros((count, 3, 9))
        for row in range(3):
            bends[:, row, 3 * row : 3 * row + 3] = places_um
        return np.concatenate([shifts, bends], axis=2)
    turns = np.stack([np.cross(axis, places_um) for axis in np.eye(3)], axis=2)
    parts = [shifts, turns, places_um[:, :, None]] if model == "similarity" else [shifts, turns]
    return np.concatenate(parts, axis=2)


def _robust(ways: NDArray[np.float64], blocks: Blocks) -> NDArray[np.float64]:
    weights = np.ones(len(ways))
    values = np.zeros(ways.shape[2])
    for _ in range(ROUNDS):
        precision = blocks.precision_per_um2 * weights[:, None, None]
        normal = np.einsum("nip,nij,njq->pq", ways, precision, ways)
        right = np.einsum("nip,nij,nj->p", ways, precision, blocks.displacements_um)
        scale = np.sqrt(np.maximum(np.diag(normal), 1e-12 * max(float(normal.max()), 1e-12)))
        scaled = normal / np.outer(scale, scale) + 1e-6 * np.eye(len(values))
        values = np.linalg.solve(scaled, right / scale) / scale
        rest = blocks.displacements_um - ways @ values
        square = np.einsum("ni,nij,nj->n", rest, blocks.precision_per_um2, rest)
        distance = np.sqrt(np.maximum(square, 0))
        weights = np.minimum(
            1, OUTLIER * max(float(np.median(distance)), 1e-9) / np.maximum(distance, 1e-12)
        )
    return values
