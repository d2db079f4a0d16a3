"""Where sub-blocks of the target really lie in the source, each found anew by correlation.

Blocks know nothing of the transform's model, so what they find beside it is its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.matching import matched
from scopezoo.datasets.registration.matrices import Matrix, Points
from scopezoo.datasets.registration.sampling import sampled
from scopezoo.datasets.registration.volume import Volume
from scopezoo.datasets.smooth import Smooth

MIN_INSIDE = 0.9
"""Of a block's voxels; the source must have them."""
MIN_SIGNAL = 1.05
"""Content of a block over that of noise; less is an empty place, which has nothing to match."""
CLASSES = 64


@dataclass(frozen=True)
class Plan:
    """Blocks of `size` voxels of the target at most (z, y, x), `count` along each axis at most,
    each moved by up to `search` voxels to either side.

    In images that hold few blocks, these are half as large as the image, but not below `smallest`.
    """

    size: tuple[int, int, int]
    smallest: tuple[int, int, int]
    search: tuple[int, int, int]
    count: tuple[int, int, int]


BLOCKS = Plan((32, 112, 112), (24, 32, 32), (6, 8, 8), (3, 8, 8))
SLABS = Plan((6, 112, 112), (6, 32, 32), (0, 8, 8), (8, 5, 5))
"""So thin that a stage which moves sideways while it goes through the planes shows."""


@dataclass(frozen=True)
class Blocks:
    """n blocks with content in both images.

    `centres_um` (n, 3) in the target, `displacements_um` (n, 3) from where the transform puts the
    source's content to where the target has it, `matched` (n) whether a clear match was found.
    `precision_per_um2` (n, 3, 3) says how well each is known along every direction, up to a factor
    common to all: along a filament, for example, hardly at all.
    """

    centres_um: Points
    displacements_um: Points
    precision_per_um2: NDArray[np.float64]
    matched: NDArray[np.bool_]

    def found(self) -> Blocks:
        """Only those that were matched."""
        few = self.matched
        return Blocks(
            self.centres_um[few],
            self.displacements_um[few],
            self.precision_per_um2[few],
            self.matched[few],
        )

    def with_slabs(self, slabs: Blocks) -> Blocks:
        """What these know along z, and slabs along y and x.

        A block's place in y and x is that of its brightest plane, which need not be its middle.
        """
        spread = np.linalg.pinv(self.precision_per_um2, hermitian=True)[:, 0, 0]
        along_z = np.zeros_like(self.precision_per_um2)
        along_z[:, 0, 0] = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        return Blocks(
            np.concatenate([self.centres_um, slabs.centres_um]),
            np.concatenate([self.displacements_um, slabs.displacements_um]),
            np.concatenate([along_z, slabs.precision_per_um2]),
            np.concatenate([self.matched, slabs.matched]),
        )


def measure_blocks(
    source: Volume,
    target: Volume,
    source_to_target: Matrix,
    noise: tuple[float, float],
    smooth: Smooth | None = None,
    plan: Plan = BLOCKS,
) -> Blocks:
    """Displacements of blocks of two band-passed volumes; `noise` is what each has of it.

    The source is taken from beyond the target too, where it has something there: what lies at the
    border of one image and not of the other is matched as a whole.
    """
    search = tuple(0 if n == 1 else s for n, s in zip(target.shape, plan.search, strict=True))
    wide = _extended(target, search)
    moved, inside = sampled(source, np.linalg.inv(source_to_target), wide, smooth=smooth)
    moved = _as_target(moved, target.voxels, inside, search)
    corners, size = _corners(target.shape, plan)
    regions = [tuple(slice(c, c + n) for c, n in zip(one, size, strict=True)) for one in corners]
    regions = [one for one in regions if inside[_shifted(one, search, 0)].mean() >= MIN_INSIDE]
    energies = [
        (moved[_shifted(one, search, 0)].std(), target.voxels[one].std()) for one in regions
    ]
    full = _with_content(np.array(energies).reshape(-1, 2), noise)
    places, matches = [], []
    for region in (one for one, keep in zip(regions, full, strict=True) if keep):
        around = _shifted(region, search, 1)
        places.append([(part.start + part.stop - 1) / 2 for part in region])
        matches.append(matched(target.voxels[region], moved[around], inside[around]))
    if not places:
        return Blocks(np.empty((0, 3)), np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, bool))
    return Blocks(
        target.origin_um + np.array(places) * target.spacing_um,
        -np.array([match.shift_px for match in matches]) * target.spacing_um,
        np.array([match.precision for match in matches])
        / np.outer(target.spacing_um, target.spacing_um),
        np.array([match.clear for match in matches]),
    )


def _extended(volume: Volume, by: tuple[int, ...]) -> Volume:
    """An empty grid that has `by` voxels more on every side."""
    shape = [n + 2 * more for n, more in zip(volume.shape, by, strict=True)]
    origin = volume.origin_um - np.array(by) * volume.spacing_um
    return Volume(np.empty(shape, np.float32), volume.spacing_um, origin)


def _shifted(region: tuple[slice, ...], by: tuple[int, ...], wider: int) -> tuple[slice, ...]:
    """A region of the target in the extended grid, `wider` by that many times what it has more."""
    return tuple(
        slice(part.start + (1 - wider) * more, part.stop + (1 + wider) * more)
        for part, more in zip(region, by, strict=True)
    )


def _with_content(energies: NDArray[np.float64], noise: tuple[float, float]) -> NDArray[np.bool_]:
    """Which blocks (n, 2) stand out of the noise, and are no much weaker than the others.

    Where structures are as fine as the noise, this is overrated; half of what bright blocks have is
    always content.
    """
    if not len(energies):
        return np.empty(0, bool)
    bright = np.percentile(energies, 90, axis=0) / 2
    least = np.minimum(MIN_SIGNAL * np.array(noise), bright)
    usual = np.median(energies, axis=0) / 2
    return np.asarray((energies >= np.maximum(least, usual)).all(axis=1))


def _as_target(
    moved: NDArray[np.float32],
    target: NDArray[np.float32],
    inside: NDArray[np.bool_],
    search: tuple[int, ...],
) -> NDArray[np.float32]:
    """The source's values replaced by the target's mean where the source has them.

    Correlation then works for unlike contrast too, dark on bright among them.
    """
    core = tuple(slice(s, n - s) for s, n in zip(search, moved.shape, strict=True))
    common = inside[core]
    values, wanted = moved[core][common], target[common]
    if not values.size:
        return moved
    bounds = np.quantile(values[:: max(1, values.size // 100_000)], np.linspace(0, 1, CLASSES + 1))
    classes = np.searchsorted(bounds[1:-1], values)
    counts = np.bincount(classes, minlength=CLASSES)
    middles = np.bincount(classes, values, CLASSES) / np.maximum(counts, 1)
    means = np.bincount(classes, wanted, CLASSES) / np.maximum(counts, 1)
    some = counts > 0
    mapped = np.zeros_like(moved)
    mapped[inside] = np.interp(moved[inside], middles[some], means[some])
    return mapped


def _corners(shape: tuple[int, ...], plan: Plan) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """First voxels, and the size, of blocks that are spread over the volume."""
    sizes, starts = [], []
    for n, b, smallest, count in zip(shape, plan.size, plan.smallest, plan.count, strict=True):
        size = min(b, max(n // 2, min(n, smallest)))
        wished = min(count, 1 + (n - size) // max(1, size // 2))
        size = n if wished == 1 else size
        sizes.append(size)
        starts.append(np.unique(np.linspace(0, n - size, wished).astype(int)).tolist())
    return list(product(*starts)), tuple(sizes)
