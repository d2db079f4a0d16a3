"""Band-passed images: what is compared in place of grey values.

Structures of one size look alike in unlike microscopes once the background and the noise are gone;
the square root evens out photon noise and keeps bright spots from deciding alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.volume import Volume

LOW_UM = 0.12
"""Sigma of the finer of the two Gaussians whose difference is taken, for fine pixels."""
BROAD, NARROW = 6.0, 2.5
"""How many times as large the coarser one's is. In a broad band images that are far apart still
find each other. In a narrow one hardly any light is left from out of focus, which wide-field images
have above and below a structure, and of which a border of the image cuts off one half."""
MIN_SIGMA_PX = 0.75
"""Noise of single pixels is never within the band."""
BACKGROUND_PERCENTILE = 1.0
TRUNCATE = 3.0


def band_um(
    source: Volume, target: Volume, factor: float = 1.0, width: float = BROAD
) -> tuple[float, float]:
    """The band for a pair, `factor` times as coarse as its pixels allow."""
    coarser_px = max(source.spacing_um[2], target.spacing_um[2])
    low = max(LOW_UM, MIN_SIGMA_PX * coarser_px) * factor
    return low, low * width


def band_passed(volume: Volume, band: tuple[float, float]) -> Volume:
    """Square root above the background, then a difference of Gaussians, to unit variance."""
    difference = difference_of_gaussians(root(volume), volume, band)
    return volume.with_voxels(difference / max(float(difference.std()), 1e-12))


def root(volume: Volume) -> NDArray[np.float32]:
    """Square root of the voxels above the background."""
    background = np.percentile(volume.voxels[:, ::4, ::4], BACKGROUND_PERCENTILE)
    rooted: NDArray[np.float32] = np.sqrt(np.maximum(volume.voxels - np.float32(background), 0))
    return rooted


def difference_of_gaussians(
    voxels: NDArray[np.float32], volume: Volume, band: tuple[float, float]
) -> NDArray[np.float32]:
    """Voxels of the spacing of `volume` within a band."""
    from scipy.ndimage import gaussian_filter

    parts = []
    for sigma_um in band:
        sigma_px = sigma_um / volume.spacing_um
        if volume.is_plane:
            sigma_px[0] = 0
        parts.append(gaussian_filter(voxels, sigma_px, mode="nearest", truncate=TRUNCATE))
    difference: NDArray[np.float32] = parts[0] - parts[1]
    return difference


def shrunk(volume: Volume, spacing_um: float) -> Volume:
    """Averaged down by whole numbers to voxels of at most `spacing_um`; places stay true."""
    factors = np.maximum(1, np.floor(spacing_um / volume.spacing_um + 1e-6)).astype(int)
    factors = np.minimum(factors, volume.shape)
    sizes = np.array(volume.shape) // factors
    cut = volume.voxels[tuple(slice(n * f) for n, f in zip(sizes, factors, strict=True))]
    split = [length for pair in zip(sizes, factors, strict=True) for length in pair]
    voxels = cut.reshape(split).mean(axis=(1, 3, 5), dtype=np.float32)
    origin = volume.origin_um + (factors - 1) / 2 * volume.spacing_um
    return Volume(voxels, volume.spacing_um * factors, origin)
