"""Is there anything in an image to register by?"""

from __future__ import annotations

import numpy as np

from scopezoo.datasets.registration.band import difference_of_gaussians, root
from scopezoo.datasets.registration.volume import Volume

BRIGHT_SIGMAS = 8.0
"""No noise in any image reaches this far."""
SIGNAL_TO_NOISE = 1.3
"""Of variances within the band."""
PROBE = 96


def is_blank(volume: Volume, band: tuple[float, float]) -> bool:
    """Whether the band-passed image is no more than the noise of its pixels."""
    rooted = root(volume)
    if not rooted.std():
        return True
    expected = noise_in_band(volume, band)
    found = difference_of_gaussians(rooted, volume, band)
    bright = float(np.abs(found).max()) > BRIGHT_SIGMAS * expected
    return not bright and float(found.var()) < SIGNAL_TO_NOISE * expected**2


def noise_in_band(volume: Volume, band: tuple[float, float]) -> float:
    """Standard deviation that the noise of single pixels has in the band, after the square root.

    The noise is taken from second differences along X, which structures hardly reach; how much of
    it passes the band, from white noise.
    """
    bends = np.diff(root(volume), n=2, axis=-1)[..., ::3]
    noise = 1.4826 * float(np.median(np.abs(bends - np.median(bends)))) / 6**0.5
    shape = tuple(min(n, PROBE) for n in volume.shape)
    white = np.random.default_rng(0).standard_normal(shape, np.float32)
    return noise * float(difference_of_gaussians(white, volume, band).std())
