"""Nuclei in a volume, touching but not in one another, one after the other (random sequential)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.nuclei.config import Tissue
from scopezoo.datasets.nuclei.nucleus import Nucleus, grow_nucleus
from scopezoo.datasets.simulation.instrument import Instrument

SURROUNDINGS_UM = 6.0
"""Round the field: nuclei that lie there reach in, with their bodies or their light."""
TRIALS = 1500
"""Places that are tried for all nuclei together."""
PROBES = 400
"""Points of a nucleus, on its surface and in it, that must lie in no other."""


@dataclass
class Volume:
    """Voxels of a field and its surroundings, and the number of the nucleus in each (0: none).

    Positions are in µm from the centre of the field's first voxel.
    """

    voxel_um: NDArray[np.float64]
    margin: NDArray[np.int64]
    labels: NDArray[np.int32]
    nuclei: list[Nucleus] = field(default_factory=list)

    @classmethod
    def around(cls, instrument: Instrument) -> Volume:
        voxel_um = np.array(instrument.voxel_um)
        margin = np.ceil(SURROUNDINGS_UM / voxel_um).astype(np.int64)
        shape = np.array(instrument.shape) + 2 * margin
        return cls(voxel_um, margin, np.zeros(tuple(shape), dtype=np.int32))

    @property
    def corners_um(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the first and the last voxel."""
        low = -self.margin * self.voxel_um
        return low, low + (np.array(self.labels.shape) - 1) * self.voxel_um

    def is_free(self, points_um: NDArray[np.float64]) -> bool:
        """Whether no nucleus is at any of the points (N × z, y, x); beyond the volume is none."""
        index = np.rint(points_um / self.voxel_um).astype(int) + self.margin
        inside = np.all((index >= 0) & (index < self.labels.shape), axis=1)
        return not self.labels[tuple(index[inside].T)].any()

    def add(self, nucleus: Nucleus) -> None:
        """Draw a nucleus where none is yet."""
        reach = np.ceil(nucleus.reach_um / self.voxel_um).astype(int)
        middle = np.rint(nucleus.centre_um / self.voxel_um).astype(int) + self.margin
        low = np.clip(middle - reach, 0, self.labels.shape)
        high = np.clip(middle + reach + 1, 0, self.labels.shape)
        part = self.labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        index = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
        points = (index.reshape(-1, 3) - self.margin) * self.voxel_um
        inside = nucleus.contains(points).reshape(part.shape)
        self.nuclei.append(nucleus)
        part[inside & (part == 0)] = len(self.nuclei)

    def field_labels(self, shape: tuple[int, int, int]) -> NDArray[np.int32]:
        """Labels ZYX of the field alone."""
        return self.labels[
            tuple(slice(m, m + size) for m, size in zip(self.margin, shape, strict=True))
        ]


def pack_nuclei(tissue: Tissue, instrument: Instrument, rng: np.random.Generator) -> Volume:
    """Nuclei of a specimen in and around a microscope's field, until it is filled as asked."""
    volume = Volume.around(instrument)
    low, high = _layer(tissue, instrument, volume)
    bodies = np.array([2 * tissue.half_axes_um[0] if tissue.flat else 0, 0, 0])
    wanted_um3 = tissue.filling * float(np.prod(high - low + bodies))
    filled_um3 = 0.0
    for _ in range(TRIALS):
        nucleus = grow_nucleus(tissue, rng)
        probes = _probes(nucleus, rng)
        if volume.nuclei and rng.random() < tissue.touching:
            centre = _against_another(volume, tissue, nucleus, probes, rng)
        else:
            centre = rng.uniform(low, high)
        if np.all((centre >= low) & (centre <= high)) and volume.is_free(probes + centre):
            volume.add(nucleus.at(centre))
            filled_um3 += 4 / 3 * np.pi * float(np.prod(nucleus.half_um))
        if filled_um3 >= wanted_um3:
            break
    return volume


def _layer(
    tissue: Tissue, instrument: Instrument, volume: Volume
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest place of a middle."""
    low, high = volume.corners_um
    middle = instrument.centre_um[0]
    low[0] = max(low[0], middle - tissue.layer_um / 2)
    high[0] = min(high[0], middle + tissue.layer_um / 2)
    return low, high


def _probes(nucleus: Nucleus, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points (N × z, y, x) on the surface of a nucleus and in it, from its middle."""
    direction = rng.normal(size=(PROBES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    depth = np.where(np.arange(PROBES) % 4, 1.0, rng.random(PROBES))[:, None]
    return nucleus.at(np.zeros(3)).place(direction * depth * nucleus.half_um)


def _against_another(
    volume: Volume,
    tissue: Tissue,
    nucleus: Nucleus,
    probes: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """The first free place on a line out of the middle of a nucleus that is there."""
    other = volume.nuclei[rng.integers(len(volume.nuclei))]
    direction = rng.normal(size=3) * ([0.2, 1, 1] if tissue.flat else 1)
    direction /= np.linalg.norm(direction)
    step = float(volume.voxel_um.min())
    nearest = float(min(nucleus.half_um.min(), other.half_um.min()))
    for distance in np.arange(nearest, nucleus.reach_um + other.reach_um, step):
        centre = other.centre_um + distance * direction
        if volume.is_free(probes + centre):
            return np.asarray(centre)
    return np.full(3, np.inf)


def numbered(labels: NDArray[np.int32], least_voxels: int) -> NDArray[np.int32]:
    """Labels from 1 without gaps; what has fewer voxels becomes background."""
    sizes = np.bincount(labels.ravel())
    kept = sizes >= least_voxels
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return np.asarray(numbers[labels])
