"""One nucleus: a bent, egg-shaped ellipsoid that lies in any direction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.nuclei.config import Tissue

MOST_TAPER = 0.25
MOST_BEND = 0.3
TILT = 0.05
"""Standard deviation of how a nucleus that lies flat leans, in radians."""
REACH = 1.4
"""No part of a nucleus is further from its middle, in units of its longest half axis."""


@dataclass(frozen=True)
class Nucleus:
    """Its own frame has the origin in its middle and its long axis along x.

    An ellipsoid becomes the nucleus where its y is stretched by 1 + taper · x / half axis, and then
    shifted by bend · (x / half axis)² half axes.
    """

    centre_um: NDArray[np.float64]
    half_um: NDArray[np.float64]
    """Half axes z, y, x."""
    turn: NDArray[np.float64]
    """3×3, from its frame to the specimen's."""
    taper: float
    bend: float

    @property
    def reach_um(self) -> float:
        """No part of it is further from its middle."""
        return REACH * float(self.half_um.max())

    def at(self, centre_um: NDArray[Any]) -> Nucleus:
        """The same nucleus elsewhere."""
        return replace(self, centre_um=np.asarray(centre_um, dtype=np.float64))

    def place(self, points_um: NDArray[Any]) -> NDArray[np.float64]:
        """Points (N × z, y, x) of the ellipsoid in the specimen."""
        z, y, x = points_um.T
        along = self._along(x)
        y = y * (1 + self.taper * along) + self.bend * self.half_um[1] * along**2
        return np.asarray(np.stack([z, y, x], axis=1) @ self.turn.T + self.centre_um)

    def local(self, points_um: NDArray[Any]) -> NDArray[np.float64]:
        """Points (N × z, y, x) of the specimen in the ellipsoid; the inverse of `place`."""
        z, y, x = ((points_um - self.centre_um) @ self.turn).T
        along = self._along(x)
        y = (y - self.bend * self.half_um[1] * along**2) / (1 + self.taper * along)
        return np.asarray(np.stack([z, y, x], axis=1))

    def contains(self, points_um: NDArray[Any]) -> NDArray[np.bool_]:
        """Which points (N × z, y, x) of the specimen lie in it."""
        return np.asarray(np.sum((self.local(points_um) / self.half_um) ** 2, axis=1) < 1)

    def _along(self, x: NDArray[Any]) -> NDArray[np.float64]:
        # beyond its ends nothing is inside, and the stretch must not pass 0
        return np.asarray(np.clip(x / self.half_um[2], -2, 2))


def grow_nucleus(tissue: Tissue, rng: np.random.Generator) -> Nucleus:
    """A nucleus of a specimen, about the origin."""
    half = np.array(tissue.half_axes_um) * rng.lognormal(0, tissue.size_variation, 3)
    return Nucleus(
        centre_um=np.zeros(3),
        half_um=half,
        turn=_turn(tissue.flat, rng),
        taper=rng.uniform(-MOST_TAPER, MOST_TAPER),
        bend=rng.uniform(0, MOST_BEND),
    )


def _turn(flat: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    """An orthogonal matrix, evenly among all, or near to a turn in the plane."""
    start = rng.normal(size=(3, 3))
    if flat:
        angle = rng.uniform(0, 2 * np.pi)
        cos, sin = np.cos(angle), np.sin(angle)
        start = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]]) + TILT * start
    return np.asarray(np.linalg.qr(start)[0])
