"""How fine the structure in an image is: its power by spatial frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BANDS = 12
HIGHEST_PER_PX = 0.3
"""Above it there is little but the noise of cameras."""


def power_db(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power of an image YX in `BANDS` rings of equal width from 0 to `HIGHEST_PER_PX`, in dB.

    A window lets the image's border count for nothing; the mean (frequency 0) is left out.
    """
    window = np.outer(*(np.hanning(size) for size in image.shape))
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 / np.sum(window**2)
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, image.shape), indexing="ij"))
    ring = np.ceil(frequency / HIGHEST_PER_PX * BANDS).astype(int)
    total = np.bincount(ring.ravel(), power.ravel())[1 : BANDS + 1]
    count = np.bincount(ring.ravel())[1 : BANDS + 1]
    return np.asarray(10 * np.log10(total / count + 1e-12))
