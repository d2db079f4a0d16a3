"""Cells on a coverslip: where they lie, their outline, thickness and nucleus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAMELLA_UM = 0.6
"""Thickness at the edge of a cell."""
NUCLEUS_ABOVE_UM = 0.5
"""Between the coverslip and the nucleus."""
TRIALS = 30
"""Places that are tried for one cell."""


@dataclass(frozen=True)
class Cell:
    """An adherent cell; its own frame has the origin under its middle, x along its long axis."""

    base_um: NDArray[np.float64]
    """Where its origin lies in the specimen, z y x."""
    angle: float
    half_axes_um: tuple[float, float]
    """Of its outline, along y and x."""
    lobes: NDArray[np.float64]
    """Amplitude and phase of the outline's waves, 2, 3, … around."""
    height_um: float
    nucleus_um: NDArray[np.float64]
    """Half axes of the nucleus, z y x."""

    @property
    def nucleus_centre_um(self) -> NDArray[np.float64]:
        """In the cell's frame."""
        return np.array([NUCLEUS_ABOVE_UM + self.nucleus_um[0], 0, 0])

    def place(self, points_um: NDArray[Any]) -> NDArray[np.float64]:
        """Points (N × z, y, x) of the cell's frame in the specimen."""
        return np.asarray(np.einsum("ni,ji->nj", points_um, self._turn()) + self.base_um)

    def local(self, points_um: NDArray[Any]) -> NDArray[np.float64]:
        """Points (N × z, y, x) of the specimen in the cell's frame."""
        return np.asarray(np.einsum("ni,ij->nj", points_um - self.base_um, self._turn()))

    def radius(self, y: NDArray[Any], x: NDArray[Any]) -> NDArray[np.float64]:
        """Distance from the middle over that of the outline in the same direction."""
        direction = np.arctan2(y, x)
        outline = np.ones_like(direction)
        for wave, (amplitude, phase) in enumerate(self.lobes, start=2):
            outline += amplitude * np.cos(wave * direction + phase)
        return np.asarray(np.hypot(y / self.half_axes_um[0], x / self.half_axes_um[1]) / outline)

    def thickness_um(self, y: NDArray[Any], x: NDArray[Any]) -> NDArray[np.float64]:
        """Height of the cell above the coverslip; 0 outside of it."""
        radius = self.radius(y, x)
        dome = np.clip(1 - radius**2, 0, None) ** 1.5
        return np.where(radius < 1, LAMELLA_UM + (self.height_um - LAMELLA_UM) * dome, 0)

    def in_nucleus(self, points_um: NDArray[Any], swell_um: float = 0.0) -> NDArray[np.bool_]:
        """Which points (… × z, y, x) of the cell's frame lie in its nucleus, made larger."""
        off = (points_um - self.nucleus_centre_um) / (self.nucleus_um + swell_um)
        return np.asarray(np.sum(off**2, axis=-1) < 1)

    def _turn(self) -> NDArray[np.float64]:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])


def place_cells(
    low_um: NDArray[Any],
    high_um: NDArray[Any],
    per_1000_um2: float,
    size: float,
    bases_um: tuple[float, float],
    rng: np.random.Generator,
) -> list[Cell]:
    """Cells with their middles between two corners (y, x) and bases (z) in a range, nuclei apart.

    Where there is no room left, there are fewer than asked for. `size` scales all lengths.
    """
    wanted = rng.poisson(np.prod(high_um - low_um) / 1000 * per_1000_um2)
    cells: list[Cell] = []
    for _ in range(max(1, wanted)):
        cell = _grow(size, rng)
        for _ in range(TRIALS):
            base = np.array([rng.uniform(*bases_um), *rng.uniform(low_um, high_um)])
            if all(_apart(cell, base, other) for other in cells):
                cells.append(replace(cell, base_um=base))
                break
    return cells


def _apart(cell: Cell, base: NDArray[np.float64], other: Cell) -> bool:
    gap = np.abs(base - other.base_um)
    touching = cell.nucleus_um[2] + other.nucleus_um[2]
    above = cell.nucleus_um[0] + other.nucleus_um[0]
    return bool(np.hypot(gap[1], gap[2]) > touching or gap[0] > above)


def _grow(size: float, rng: np.random.Generator) -> Cell:
    long = rng.uniform(7, 10)
    nucleus = np.array([rng.uniform(2.0, 3.2), long * rng.uniform(0.6, 0.9), long]) * size
    reach = rng.uniform(16, 24) * size
    return Cell(
        base_um=np.zeros(3),
        angle=rng.uniform(0, 2 * np.pi),
        half_axes_um=(reach * rng.uniform(0.55, 0.85), reach),
        lobes=np.stack([rng.uniform(0, [0.15, 0.12, 0.08]), rng.uniform(0, 2 * np.pi, 3)], axis=1),
        height_um=2 * nucleus[0] + 2 * NUCLEUS_ABOVE_UM + rng.uniform(0, 1),
        nucleus_um=nucleus,
    )
