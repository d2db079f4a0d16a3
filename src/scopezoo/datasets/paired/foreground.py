"""Where an image has signal, coarsely: a map small enough to be kept for every pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.sampling import GriddedImage, Matrix

CELL_PX = (4, 16, 16)
"""Size of a cell of the map, z y x."""
SLAB_BYTES = 64 << 20
BACKGROUND_PERCENTILE = 20.0
BRIGHT_PERCENTILE = 99.0


@dataclass(frozen=True)
class SignalMap:
    """Middles of cells, in voxels of the grid that patches lie on (n, 3), and how often each is
    drawn, summed up (n)."""

    places: NDArray[np.float64]
    cumulative: NDArray[np.float64]

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """A cell's middle, the brighter the more often."""
        last = len(self.places) - 1
        index = min(int(np.searchsorted(self.cumulative, rng.random(), side="right")), last)
        place: NDArray[np.float64] = self.places[index]
        return place


def signal_map(image: GriddedImage, to_grid: Matrix) -> SignalMap:
    """The map of an image, read once, slab by slab; `to_grid` takes its indices to the grid's.

    Cells are weighted by their mean above the background, up to BRIGHT_PERCENTILE of
    them, so that debris does not take everything.
    """
    means = _cell_means(image)
    background = np.percentile(means, BACKGROUND_PERCENTILE)
    bright = np.percentile(means, BRIGHT_PERCENTILE)
    weights = np.clip(means - background, 0, max(bright - background, 0)).ravel()
    if not weights.sum():
        weights = np.ones_like(weights)
    middles = [
        np.minimum((np.arange(n) + 0.5) * cell - 0.5, size - 1)
        for n, cell, size in zip(means.shape, _cells(image), image.shape, strict=True)
    ]
    places = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 3)
    drawn = weights > 0
    return SignalMap(
        (places @ to_grid[:3, :3].T + to_grid[:3, 3])[drawn],
        np.cumsum(weights[drawn]) / weights.sum(),
    )


def _cells(image: GriddedImage) -> tuple[int, int, int]:
    z, y, x = (min(cell, size) for cell, size in zip(CELL_PX, image.shape, strict=True))
    return z, y, x


def _cell_means(image: GriddedImage) -> NDArray[np.float64]:
    """Means over cells, those at far edges over what there is of them."""
    depth, height, width = image.shape
    cell_z, cell_y, cell_x = _cells(image)
    rows = max(1, SLAB_BYTES // (4 * cell_z * width) // cell_y) * cell_y
    means = np.empty((-(-depth // cell_z), -(-height // cell_y), -(-width // cell_x)))
    for z in range(0, depth, cell_z):
        for y in range(0, height, rows):
            block = (
                slice(z, min(z + cell_z, depth)),
                slice(y, min(y + rows, height)),
                slice(0, width),
            )
            slab = image.read(block).mean(axis=0, dtype=np.float64)
            means[z // cell_z, y // cell_y : y // cell_y + -(-slab.shape[0] // cell_y)] = _means_2d(
                slab, cell_y, cell_x
            )
    return means


def _means_2d(plane: NDArray[np.float64], cell_y: int, cell_x: int) -> NDArray[np.float64]:
    y, x = np.arange(0, plane.shape[0], cell_y), np.arange(0, plane.shape[1], cell_x)
    sums = np.add.reduceat(np.add.reduceat(plane, y, axis=0), x, axis=1)
    counts = np.outer(np.diff([*y, plane.shape[0]]), np.diff([*x, plane.shape[1]]))
    means: NDArray[np.float64] = sums / counts
    return means
