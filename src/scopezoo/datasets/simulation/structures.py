"""What is labelled in a cell: emitters (N × z, y, x in µm, brightness) in the cell's own frame.

Brightness is scaled so that structures of brightness 1 look alike under a good microscope. Emitters
lie closer together than any microscope resolves, so that no image shows them one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.simulation.cell import Cell

StructureName = Literal["nuclei", "filaments", "tubules", "puncta", "adhesions"]
Builder = Callable[[Cell, float, np.random.Generator], NDArray[np.float64]]

NUCLEUS_PITCH_UM = np.array([0.25, 0.15, 0.15])
STEP_UM = 0.04
"""Between emitters along a line."""


def nuclei(cell: Cell, abundance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """The chromatin of its nucleus."""
    points = chromatin(cell.nucleus_um, abundance, rng)
    points[:, :3] += cell.nucleus_centre_um
    return points


def chromatin(
    half_um: NDArray[Any],
    abundance: float,
    rng: np.random.Generator,
    pitch_um: NDArray[Any] = NUCLEUS_PITCH_UM,
) -> NDArray[np.float64]:
    """Coarse and fine texture, a denser rim, dark nucleoli, on a lattice; contrast by abundance.

    The nucleus is an ellipsoid with these half axes (z, y, x) about the origin.
    """
    from scipy.ndimage import gaussian_filter

    count = np.ceil(half_um / pitch_um).astype(int) + 2
    axes = [np.arange(-n, n + 1) * step for n, step in zip(count, pitch_um, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    radius = np.sqrt((z / half_um[0]) ** 2 + (y / half_um[1]) ** 2 + (x / half_um[2]) ** 2)
    slope = np.sqrt(
        (z / half_um[0] ** 2) ** 2 + (y / half_um[1] ** 2) ** 2 + (x / half_um[2] ** 2) ** 2
    )
    # to first order; in the very middle any large distance will do
    to_rim_um = np.where(radius > 0.3, (1 - radius) * radius / np.maximum(slope, 1e-9), half_um[0])

    def texture(scale_um: float) -> NDArray[Any]:
        field = gaussian_filter(rng.standard_normal(radius.shape), scale_um / pitch_um)
        return np.asarray(field / field.std())

    density = np.exp(abundance * (0.45 * texture(0.22) + 0.35 * texture(0.7)))
    density *= 1 + 0.8 * abundance * np.exp(-((to_rim_um / 0.3) ** 2))
    for _ in range(rng.integers(1, 5)):
        middle = rng.uniform(-0.55, 0.55, 3) * half_um
        size = rng.uniform(0.6, 1.4) * half_um[2] / 8
        away = np.sqrt(sum((a - m) ** 2 for a, m in zip((z, y, x), middle, strict=True)))
        density *= 1 - 0.8 / (1 + np.exp((away - size) / 0.08))
    density /= 1 + np.exp(-np.clip(to_rim_um / 0.05, -50, 50))
    kept = np.nonzero(density > 0.01)
    points = np.stack([axis[index] for axis, index in zip(axes, kept, strict=True)], axis=1)
    return np.column_stack([points, density[kept] * np.prod(pitch_um)])


def filaments(cell: Cell, abundance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Cytoskeleton: long, stiff lines towards the edge, some along the bottom under the nucleus."""
    count = _number(130 * abundance, rng)
    lines = _walks(cell, count, length_um=40, stiffness_um=25, turn=1.2, rng=rng)
    height = np.where(rng.random(count) < 0.4, 0.03, rng.uniform(0.03, 0.95, count))
    points, line = _inside(cell, lines, height)
    light = 0.09 * STEP_UM * rng.lognormal(0, 0.45, count)[line]
    light *= rng.gamma(3, 1 / 3, len(line))  # labels sit at random along a line
    return np.column_stack([points + rng.normal(0, 0.015, points.shape), light])


def tubules(cell: Cell, abundance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mitochondria: short, winding tubes 0.4 to 0.7 µm wide, most of them around the nucleus."""
    count = _number(110 * abundance, rng)
    lines = _walks(cell, count, length_um=9, stiffness_um=2.5, turn=0.7, rng=rng)
    steps = (rng.uniform(1.2, 9, count) / STEP_UM).astype(int)
    lines[np.arange(lines.shape[1]) >= steps[:, None]] = np.nan
    points, line = _inside(cell, lines, rng.uniform(0.15, 0.8, count))
    filling = 8
    points, line = np.repeat(points, filling, axis=0), np.repeat(line, filling)
    across = rng.standard_normal(points.shape)
    across *= np.cbrt(rng.random(len(points)) / np.sum(across**2, axis=1) ** 1.5)[:, None]
    width = rng.uniform(0.2, 0.35, count)
    light = 0.25 * STEP_UM / filling * rng.lognormal(0, 0.3, count)
    return np.column_stack([points + across * width[line, None], light[line]])


def puncta(cell: Cell, abundance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Vesicles: round spots, most below the limit of resolution, anywhere but in the nucleus."""
    count = _number(250 * abundance, rng)
    middles, _ = _scatter(cell, count, rng)
    filling = 24
    size = np.minimum(rng.lognormal(np.log(0.09), 0.5, len(middles)), 0.4)
    light = 0.035 * (size / 0.09) * rng.lognormal(0, 0.5, len(middles)) / filling
    spot = np.repeat(np.arange(len(middles)), filling)
    points = middles[spot] + rng.normal(0, 1, (len(spot), 3)) * size[spot, None]
    return np.column_stack([points, light[spot]])


def adhesions(cell: Cell, abundance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Focal adhesions: flat, narrow plaques at the bottom near the edge, pointing outwards."""
    count = _number(45 * abundance, rng)
    direction = rng.uniform(0, 2 * np.pi, count)
    towards = np.stack([np.sin(direction), np.cos(direction)], axis=1)
    edge = 1 / cell.radius(towards[:, 0], towards[:, 1])
    middles = towards * (edge * rng.uniform(0.55, 0.95, count))[:, None]
    long, wide = rng.lognormal(np.log(1.8), 0.4, count), rng.uniform(0.25, 0.6, count)
    density = 500
    filling = rng.poisson(density * long * wide * np.pi / 4)
    plaque = np.repeat(np.arange(count), filling)
    off = np.sqrt(rng.random(len(plaque))) / 2
    turn = rng.uniform(0, 2 * np.pi, len(plaque))
    along, across = off * np.cos(turn) * long[plaque], off * np.sin(turn) * wide[plaque]
    heading = direction[plaque] + rng.normal(0, 0.15, count)[plaque]
    y = middles[plaque, 0] + along * np.sin(heading) + across * np.cos(heading)
    x = middles[plaque, 1] + along * np.cos(heading) - across * np.sin(heading)
    light = 0.55 / density * rng.lognormal(0, 0.35, count)[plaque]
    return np.column_stack([rng.uniform(0.05, 0.2, len(plaque)), y, x, light])


BUILDERS: dict[StructureName, Builder] = {
    "nuclei": nuclei,
    "filaments": filaments,
    "tubules": tubules,
    "puncta": puncta,
    "adhesions": adhesions,
}


def _number(mean: float, rng: np.random.Generator) -> int:
    return max(1, int(rng.poisson(mean)))


def _walks(
    cell: Cell,
    count: int,
    length_um: float,
    stiffness_um: float,
    turn: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Worm-like chains in the plane (count × steps × y, x) that start around the nucleus.

    They head outwards but for `turn` (standard deviation, radians).
    """
    start = rng.uniform(0, 2 * np.pi, count)
    far = 0.75 + rng.exponential(0.35, count)
    middles = np.stack([np.sin(start), np.cos(start)], axis=1) * cell.nucleus_um[1:]
    steps = int(length_um / STEP_UM)
    bends = rng.normal(0, np.sqrt(2 * STEP_UM / stiffness_um), (count, steps))
    heading = (start + rng.normal(0, turn, count))[:, None] + np.cumsum(bends, axis=1)
    path = np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=2), axis=1) * STEP_UM
    return np.asarray(middles[:, None] * far[:, None, None] + path)


def _inside(
    cell: Cell, lines: NDArray[np.float64], height: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points of lines until they first leave the cell, and their line's number.

    A line keeps its height relative to the cell's and does not go through the nucleus.
    """
    y, x = lines[..., 0], lines[..., 1]
    radius = cell.radius(y, x)
    alive = np.logical_and.accumulate(radius < 0.97, axis=1)
    z = 0.1 + height[:, None] * (cell.thickness_um(y, x) - 0.3)
    points = np.stack([z, y, x], axis=2)
    alive &= ~cell.in_nucleus(points, swell_um=0.15)
    return points[alive], np.nonzero(alive)[0]


def _scatter(
    cell: Cell, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Up to `count` points in the cell but not in its nucleus, and the thickness there."""
    reach = 1.4 * np.array(cell.half_axes_um)
    plane = rng.uniform(-reach, reach, (4 * count, 2))
    thickness = cell.thickness_um(plane[:, 0], plane[:, 1])
    z = 0.15 + rng.random(4 * count) * np.maximum(thickness - 0.4, 0.05)
    points = np.column_stack([z, plane])
    good = np.flatnonzero((thickness > 0) & ~cell.in_nucleus(points, swell_um=0.3))[:count]
    return points[good], thickness[good]
