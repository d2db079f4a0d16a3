"""Simulated images with known truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BACKGROUND_PHOTONS = 8.0
BRIGHTNESS_PHOTONS = (40.0, 150.0)
PSF_SIGMA_PX = 1.2
READ_NOISE_ELECTRONS = 2.0


def simulate_nuclei(
    shape: tuple[int, int],
    seed: int,
    *,
    nuclei: int = 20,
    diameter_px: tuple[float, float] = (12.0, 28.0),
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Elliptical nuclei with texture, blur, Poisson and read noise: (image, labels), both YX.

    `image` is in photo-electrons, float32. `labels` count from 1 without gaps; nuclei may touch
    but never overlap, so in a small or crowded image there are fewer than `nuclei`.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    y, x = np.indices(shape, dtype=np.float32)
    labels = np.zeros(shape, dtype=np.int32)
    light = np.full(shape, BACKGROUND_PHOTONS, dtype=np.float32)
    texture = 1 + 3 * gaussian_filter(rng.normal(size=shape), 3.0)
    for _ in range(nuclei):
        centre_y, centre_x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        long, short = rng.uniform(*diameter_px) / 2 * np.array([1, rng.uniform(0.65, 1)])
        angle = rng.uniform(0, np.pi)
        along = (y - centre_y) * np.sin(angle) + (x - centre_x) * np.cos(angle)
        across = (y - centre_y) * np.cos(angle) - (x - centre_x) * np.sin(angle)
        inside = (along / long) ** 2 + (across / short) ** 2 <= 1
        if inside.any() and not labels[inside].any():
            labels[inside] = labels.max() + 1
            light[inside] += rng.uniform(*BRIGHTNESS_PHOTONS) * np.clip(texture[inside], 0.3, 2)
    seen = gaussian_filter(light, PSF_SIGMA_PX)
    image = rng.poisson(seen) + rng.normal(0, READ_NOISE_ELECTRONS, shape)
    return image.astype(np.float32), labels
