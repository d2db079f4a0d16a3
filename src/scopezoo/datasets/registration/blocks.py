"""Where sub-blocks of the source really lie, each found anew by correlation.

Blocks know nothing of the transform's model, so what they find beside it is its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.matrices import Matrix, Points
from scopezoo.datasets.registration.sampling import sampled
from scopezoo.datasets.registration.volume import Volume

BLOCK = (24, 112, 112)
"""Voxels along z, y and x of the target that one block has, at most."""
SMALLEST = (24, 32, 32)
"""In images that hold few blocks, these are as small as half the image, but not smaller: where
their border cuts a cell, the unlike blur of two microscopes moves the match (16 planes: half a
plane; 24: a tenth)."""
SEARCH = (6, 12, 12)
"""How far a block is moved to either side, in voxels."""
BLOCKS_PER_AXIS = (3, 8, 8)
MIN_INSIDE = 0.9
"""Of a block's voxels; the source must have them."""
CLEAR_CORRELATION = 0.4
"""Of images that do not belong together, no block reaches it (0.32 at most on simulated ones)."""
FAINT_CORRELATION = 0.1
MIN_PEAK = 9.0
"""What noise makes faint may still stand out: above the correlation at other shifts, in their
standard deviations."""
CLASSES = 64


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


def measure_blocks(source: Volume, target: Volume, source_to_target: Matrix) -> Blocks:
    """Displacements of blocks of two band-passed volumes."""
    moved, inside = sampled(source, np.linalg.inv(source_to_target), target)
    moved = _as_target(moved, target.voxels, inside)
    places, energies, matches = [], [], []
    for corner, size in _corners(target.shape):
        region = tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))
        if inside[region].mean() < MIN_INSIDE:
            continue
        places.append(np.array(corner) + (np.array(size) - 1) / 2)
        energies.append((moved[region].std(), target.voxels[region].std()))
        matches.append(_match(moved, target.voxels, corner, size))
    if not places:
        return Blocks(np.empty((0, 3)), np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, bool))
    content = np.array(energies)
    full = (content >= np.median(content, axis=0) / 2).all(axis=1)
    return Blocks(
        target.origin_um + np.array(places)[full] * target.spacing_um,
        np.array([match.shift_px for match in matches])[full] * target.spacing_um,
        np.array([match.precision for match in matches])[full]
        / np.outer(target.spacing_um, target.spacing_um),
        np.array([match.clear for match in matches])[full],
    )


def _as_target(
    moved: NDArray[np.float32], target: NDArray[np.float32], inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The source's values replaced by the target's mean where the source has them.

    Correlation then works for unlike contrast too, dark on bright among them.
    """
    values, wanted = moved[inside], target[inside]
    if not values.size:
        return moved
    bounds = np.quantile(values[:: max(1, values.size // 100_000)], np.linspace(0, 1, CLASSES + 1))
    classes = np.searchsorted(bounds[1:-1], values)
    counts = np.bincount(classes, minlength=CLASSES)
    middles = np.bincount(classes, values, CLASSES) / np.maximum(counts, 1)
    means = np.bincount(classes, wanted, CLASSES) / np.maximum(counts, 1)
    some = counts > 0
    mapped = np.zeros_like(moved)
    mapped[inside] = np.interp(values, middles[some], means[some])
    return mapped


def _corners(shape: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """First voxels and sizes of blocks that are spread over the volume."""
    size = tuple(
        min(b, max(n // 2, min(n, smallest)))
        for b, n, smallest in zip(BLOCK, shape, SMALLEST, strict=True)
    )
    starts = []
    for n, b, search, count in zip(shape, size, SEARCH, BLOCKS_PER_AXIS, strict=True):
        margin = min((n - b) // 2, search // 3)
        room = n - b - 2 * margin
        wished = min(count, 1 + room // max(1, b // 2))
        starts.append(np.unique(np.linspace(margin, margin + room, wished).astype(int)).tolist())
    return [(corner, size) for corner in product(*starts)]


@dataclass(frozen=True)
class _Match:
    shift_px: NDArray[np.float64]
    precision: NDArray[np.float64]
    clear: bool


def _match(
    moved: NDArray[np.float32],
    target: NDArray[np.float32],
    corner: tuple[int, ...],
    size: tuple[int, ...],
) -> _Match:
    """The shift in voxels with the highest normalised correlation."""
    search = tuple(
        min(s, n // 4) if n > 1 else 0 for s, n in zip(SEARCH, target.shape, strict=True)
    )
    block = moved[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))]
    start = [c - s for c, s in zip(corner, search, strict=True)]
    around = _padded(target, start, [n + 2 * s for n, s in zip(size, search, strict=True)])
    correlation = _correlation(block, around)
    peak = tuple(int(i) for i in np.unravel_index(int(correlation.argmax()), correlation.shape))
    offset, bend = _top(correlation, peak)
    height = float(correlation[peak])
    return _Match(
        np.array(peak) - search + offset, bend / max(1 - height**2, 0.01), _is_clear(correlation)
    )


def _is_clear(correlation: NDArray[np.float32]) -> bool:
    """Whether the highest correlation is high in itself, or stands far above all others."""
    height, middle = float(correlation.max()), float(np.median(correlation))
    spread = 1.4826 * float(np.median(np.abs(correlation - middle)))
    stands_out = height >= FAINT_CORRELATION and height - middle >= MIN_PEAK * spread
    return height >= CLEAR_CORRELATION or stands_out


def _correlation(block: NDArray[np.float32], around: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised correlation of the block (tapered) at every place where `around` holds it whole.

    The norm has the tapered energy of the same place: without it, a structure that the taper cuts
    would draw the peak aside.
    """
    from scipy import fft

    window = _window(block.shape)
    block = block - np.average(block, weights=window)
    lengths = [fft.next_fast_len(n, real=True) for n in around.shape]
    valid = tuple(slice(a - b + 1) for a, b in zip(around.shape, block.shape, strict=True))

    def correlated(kernel: NDArray[Any], image: NDArray[Any]) -> NDArray[Any]:
        spectrum = fft.rfftn(image, lengths) * np.conj(fft.rfftn(kernel, lengths))
        return np.asarray(fft.irfftn(spectrum, lengths)[valid])

    energy = correlated(window, around**2)
    energy = np.maximum(energy, 1e-6 * energy.max() + 1e-30) * float((window * block**2).sum())
    result: NDArray[np.float32] = correlated(window * block, around) / np.sqrt(energy + 1e-30)
    return result


def _window(size: tuple[int, ...]) -> NDArray[np.float32]:
    from scipy.signal.windows import tukey

    window = np.ones(size, np.float32)
    for axis, n in enumerate(size):
        if n > 1:
            line = tukey(n + 2, 0.5)[1:-1].astype(np.float32)
            window = window * line.reshape([-1 if a == axis else 1 for a in range(3)])
    return window


def _padded(voxels: NDArray[np.float32], start: list[int], size: list[int]) -> NDArray[np.float32]:
    """A region that may reach beyond the volume, zeros there."""
    block = np.zeros(size, np.float32)
    low = [max(0, -s) for s in start]
    inner = voxels[tuple(slice(max(0, s), max(0, s + n)) for s, n in zip(start, size, strict=True))]
    block[tuple(slice(a, a + n) for a, n in zip(low, inner.shape, strict=True))] = inner
    return block


def _top(
    correlation: NDArray[Any], peak: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Top of the paraboloid through all neighbours of the peak, and how it bends (3×3, positive).

    A ridge lies aslant as often as not, so the axes cannot be taken one by one. At the search's
    border, and where it is no peak, the bend is 0: nothing is known.
    """
    axes = [a for a in range(3) if correlation.shape[a] > 1]
    offset, bend = np.zeros(3), np.zeros((3, 3))
    if any(not 0 < peak[a] < correlation.shape[a] - 1 for a in axes):
        return offset, bend
    steps = [(-1, 0, 1) if a in axes else (0,) for a in range(3)]
    around = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    values = correlation[tuple((around + np.array(peak)).T)].astype(np.float64)
    pairs = [(a, b) for i, a in enumerate(axes) for b in axes[i:]]
    terms = [np.ones(len(around)), *(around[:, a] for a in axes)]
    terms += [around[:, a] * around[:, b] for a, b in pairs]
    fit = np.linalg.lstsq(np.stack(terms, axis=1), values, rcond=None)[0]
    for (a, b), value in zip(pairs, fit[1 + len(axes) :], strict=True):
        bend[a, b] -= value
        bend[b, a] -= value
    within = np.ix_(axes, axes)
    if (np.linalg.eigvalsh(bend[within]) <= 0).any():
        return offset, np.zeros((3, 3))
    offset[axes] = np.clip(np.linalg.solve(bend[within], fit[1 : 1 + len(axes)]), -1, 1)
    return offset, bend
