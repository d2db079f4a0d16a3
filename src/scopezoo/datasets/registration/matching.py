"""Where a block of one image lies in another: normalised correlation, to a fraction of a voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLEAR_CORRELATION = 0.4
"""Of images that do not belong together, no block reaches it (0.32 at most on simulated ones)."""
FAINT_CORRELATION = 0.1
MIN_PEAK = 9.0
"""What noise makes faint may still stand out: above the correlation at other shifts, in their
standard deviations."""
MIN_COMMON = 0.6
"""Of a block's weight: shifts that leave less of it inside the other image are not looked at."""


@dataclass(frozen=True)
class Match:
    """`shift_px` takes the block to its match; `precision` (3×3, per voxel²) says how well it is
    known along every direction, up to a common factor; `clear` whether it is a match at all."""

    shift_px: NDArray[np.float64]
    precision: NDArray[np.float64]
    clear: bool


def matched(
    block: NDArray[np.float32], around: NDArray[np.float32], inside: NDArray[np.bool_]
) -> Match:
    """The shift of `block` within `around` with the highest correlation.

    `around` is larger than the block by as many voxels on either side as it may be moved; `inside`
    is where it has any.
    """
    correlation = correlated(block, around, inside)
    peak = tuple(int(i) for i in np.unravel_index(int(correlation.argmax()), correlation.shape))
    offset, bend = _top(correlation, peak)
    height = float(correlation[peak])
    middle = (np.array(correlation.shape) - 1) // 2
    precision = bend * block.size / max(1 - height**2, 0.01)
    return Match(np.array(peak) - middle + offset, precision, _is_clear(correlation))


def correlated(
    block: NDArray[np.float32], around: NDArray[np.float32], inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Normalised correlation of the block at every place where `around` holds it.

    The block fades out along y and x, and both norms are of the voxels that are there (Padfield,
    IEEE Transactions on Image Processing 21, 2012): a structure that the border of the block or of
    the image cuts would draw the peak aside. Along z it does not fade: cells lie on the coverslip
    at the lowest planes.
    """
    from scipy import fft

    window = _window(block.shape)
    block = block - np.average(block, weights=window)
    lengths = [fft.next_fast_len(n, real=True) for n in around.shape]
    valid = tuple(slice(a - b + 1) for a, b in zip(around.shape, block.shape, strict=True))

    def moved(spectrum: NDArray[Any], kernel: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(fft.irfftn(spectrum * kernel, lengths)[valid])

    weight = np.conj(fft.rfftn(window, lengths))
    around = np.where(inside, around, np.float32(0))
    energy = moved(fft.rfftn(around**2, lengths), weight)
    own: Any = np.float32((window * block**2).sum())
    product = moved(fft.rfftn(around, lengths), np.conj(fft.rfftn(window * block, lengths)))
    if not inside.all():
        there = fft.rfftn(inside.astype(np.float32), lengths)
        own = moved(there, np.conj(fft.rfftn(window * block**2, lengths)))
        product[moved(there, weight) < MIN_COMMON * window.sum()] = 0
    norms = _positive(energy) * _positive(np.asarray(own))
    result: NDArray[np.float32] = product / np.sqrt(norms)
    return result


def _positive(values: NDArray[Any]) -> NDArray[Any]:
    """Without what rounding leaves of nothing."""
    positive: NDArray[Any] = np.maximum(values, 1e-6 * float(values.max()) + 1e-15)
    return positive


def _window(size: tuple[int, ...]) -> NDArray[np.float32]:
    from scipy.signal.windows import tukey

    lines = [tukey(n + 2, 0.5)[1:-1] for n in size[1:]]
    plane = np.outer(*lines).astype(np.float32)
    return np.broadcast_to(plane, size)


def _is_clear(correlation: NDArray[np.float32]) -> bool:
    """Whether the highest correlation is high in itself, or stands far above all others."""
    height, middle = float(correlation.max()), float(np.median(correlation))
    spread = 1.4826 * float(np.median(np.abs(correlation - middle)))
    stands_out = height >= FAINT_CORRELATION and height - middle >= MIN_PEAK * spread
    return height >= CLEAR_CORRELATION or stands_out


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
