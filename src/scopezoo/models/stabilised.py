"""BM3D after variance stabilisation: what denoising is without a network.

Dabov et al., IEEE TIP 16, 2080 (2007); Anscombe's transform for Poisson and Gaussian noise and its
closed-form unbiased inverse, Mäkitalo and Foi, IEEE TIP 22, 91 (2013). Needs the package `bm3d`,
whose licence lets it be used for research alone, so nothing here depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 8
NOISE_STATISTIC = 0.6745
"""Median absolute deviation of a normal distribution of standard deviation 1."""


@dataclass(frozen=True)
class Detector:
    """Grey value = offset + gain · (electrons + read noise)."""

    offset: float
    gain: float
    read_noise_electrons: float


def bm3d_denoised(stack: NDArray[np.float32], detector: Detector) -> NDArray[np.float32]:
    """A stack ZYX, plane by plane, in its own grey levels. Raises ImportError without `bm3d`."""
    import bm3d

    electrons = (stack - detector.offset) / detector.gain
    variance = detector.read_noise_electrons**2
    stabilised = 2 * np.sqrt(np.maximum(electrons + 0.375 + variance, 0))
    smooth = np.stack([_bm3d(bm3d.bm3d, plane) for plane in stabilised.astype(np.float64)])
    found = unbiased_inverse(smooth) - variance
    return np.asarray(detector.offset + detector.gain * found, dtype=np.float32)


def _bm3d(denoise: object, plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of noise of standard deviation 1, on the grey levels from 0 to 1 that BM3D is made for."""
    low, high = float(plane.min()), float(plane.max())
    scale = max(high - low, 1e-6)
    found = denoise((plane - low) / scale, sigma_psd=1 / scale)  # type: ignore[operator] # untyped
    return np.asarray(found) * scale + low


def unbiased_inverse(stabilised: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected electrons plus the variance of the read noise."""
    d = np.maximum(stabilised, 2 * np.sqrt(0.375))
    root = np.sqrt(1.5)
    inverse = d**2 / 4 + root / (4 * d) - 11 / (8 * d**2) + 5 * root / (8 * d**3) - 0.125
    return np.asarray(np.maximum(inverse, 0))


def estimated_detector(plane: NDArray[np.float32]) -> Detector:
    """Gain and noise of a plane YX, from how the variance of its blocks grows with their mean.

    The offset is taken for 0, and what noise there is without light for read noise.
    """
    height, width = (size // BLOCK_PX * BLOCK_PX for size in plane.shape)
    rows, columns = height // BLOCK_PX, width // BLOCK_PX
    grid = plane[:height, :width].reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    blocks = grid.transpose(0, 2, 1, 3).reshape(rows * columns, BLOCK_PX, BLOCK_PX)
    # Differences across a checkerboard of four pixels hardly see what is smooth.
    corner = (
        blocks[:, ::2, ::2] - blocks[:, 1::2, ::2] - blocks[:, ::2, 1::2] + blocks[:, 1::2, 1::2]
    )
    deviation = np.median(np.abs(corner), axis=(1, 2)) / (2 * NOISE_STATISTIC)
    mean, variance = blocks.mean(axis=(1, 2)), deviation**2
    edges = np.quantile(mean, np.linspace(0, 1, 21))
    members = [(mean >= a) & (mean <= b) for a, b in pairwise(edges)]
    points = [(mean[one].mean(), np.median(variance[one])) for one in members if one.any()]
    x, y = np.array(points).T
    slope, start = np.polyfit(x, y, 1)
    gain = max(float(slope), 1e-3)
    return Detector(0.0, gain, float(np.sqrt(max(start, 0.0)) / gain))
