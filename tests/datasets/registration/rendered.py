"""Pairs rendered from points: each image samples the same Gaussians at its own voxel centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from scopezoo.datasets.registration.matrices import about, applied
from scopezoo.image import Image

Sizes = tuple[float, float, float]


@dataclass(frozen=True)
class Grid:
    """Shape and voxel size (z, y, x)."""

    shape: tuple[int, int, int]
    voxel_um: Sizes

    @property
    def extent_um(self) -> NDArray[np.float64]:
        return (np.array(self.shape) - 1) * np.array(self.voxel_um)

    def image(self, voxels: NDArray[np.float32]) -> Image:
        """The voxels with their sizes; a plane without Z."""
        sizes = dict(zip("ZYX", self.voxel_um, strict=True))
        if self.shape[0] == 1:
            return Image(voxels[0], "YX", {"Y": sizes["Y"], "X": sizes["X"]})
        return Image(voxels, "ZYX", sizes)


SOURCE = Grid((14, 120, 120), (0.3, 0.16, 0.16))
TARGET = Grid((16, 128, 128), (0.2, 0.1, 0.1))
SOURCE_PLANE = Grid((1, 160, 160), (0.16, 0.16, 0.16))
TARGET_PLANE = Grid((1, 192, 192), (0.1, 0.1, 0.1))


def points(seed: int, extent_um: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Places (n, 3) in and around the field, in strings of ten."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform(-0.1, 1.1, (count, 1, 3)) * extent_um
    steps = rng.normal(size=(count, 10, 3)) * np.array([0.05, 0.1, 0.1])
    return (starts + np.cumsum(steps, axis=1)).reshape(-1, 3)


def render(
    places_um: NDArray[np.float64], grid: Grid, sigma_um: Sizes = (0.25, 0.12, 0.12)
) -> NDArray[np.float32]:
    """Sum of Gaussians, float32 ZYX, sampled at the centres of voxels."""
    voxels = np.zeros(grid.shape, np.float32)
    reach = np.ceil(4 * np.array(sigma_um) / grid.voxel_um).astype(int)
    for place in places_um:
        index = place / grid.voxel_um
        low = np.maximum(np.rint(index).astype(int) - reach, 0)
        high = np.minimum(np.rint(index).astype(int) + reach + 1, grid.shape)
        if (low >= high).any():
            continue
        z, y, x = (
            np.exp(-(((np.arange(a, b) - i) * size / sigma) ** 2) / 2)
            for a, b, i, size, sigma in zip(low, high, index, grid.voxel_um, sigma_um, strict=True)
        )
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        voxels[box] += (z[:, None, None] * y[:, None] * x).astype(np.float32)
    return voxels


def noisy(clean: NDArray[np.float32], seed: int, photons: float = 60.0) -> NDArray[np.float32]:
    """Shot noise and an offset."""
    rng = np.random.default_rng(seed)
    return (rng.poisson(clean * photons + 5) + 100).astype(np.float32)


def truth(seed: int, source: Grid, target: Grid, shift_um: float = 2.0) -> NDArray[np.float64]:
    """Source to target: centre on centre, then a small turn and shift; of planes in the plane."""
    rng = np.random.default_rng(seed)
    axis = np.array([1.0, 0, 0]) if source.shape[0] == 1 else rng.normal(size=3)
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.deg2rad(rng.uniform(-3, 3)))
    shift = rng.uniform(-1, 1, 3) * np.array([0.3, 1, 1]) * shift_um
    if source.shape[0] == 1:
        shift[0] = 0
    return about(turn.as_matrix(), source.extent_um / 2, target.extent_um / 2 + shift)


def pair(
    seed: int,
    source: Grid = SOURCE,
    target: Grid = TARGET,
    matrix: NDArray[np.float64] | None = None,
    count: int = 150,
) -> tuple[Image, Image, NDArray[np.float64]]:
    """Source, target, and the matrix between them."""
    known = truth(seed, source, target) if matrix is None else matrix
    places = points(seed, source.extent_um, count)
    if source.shape[0] == 1:
        places[:, 0] = 0
    images = [
        grid.image(noisy(render(where, grid), seed + i))
        for i, (where, grid) in enumerate(((places, source), (applied(known, places), target)))
    ]
    return images[0], images[1], known


def error_um(
    found: NDArray[np.float64], known: NDArray[np.float64], grid: Grid
) -> NDArray[np.float64]:
    """Displacements (n, 3) of found against known over the source's grid."""
    steps = [np.linspace(0, extent, 6) for extent in grid.extent_um]
    places = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return applied(found, places) - applied(known, places)
