"""How a nucleus looks, told by its number in a label image; and its texture, by what is beside it.

The number of a nucleus is free, so it may say how bright and how uneven the nucleus is to be: label
n has brightness 5 · (n - 1) mod 8 and unevenness ((n - 1) div 8) mod 4. Thus labels that count from
1 show all looks, neighbouring numbers differ, and the same label image always gives the same image.
What a pixel has beside a whole number is the chance that texture is made from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BRIGHTNESS_LIMITS = (0.25, 0.33, 0.39, 0.45, 0.51, 0.59, 0.70)
"""Between the levels: mean normalised grey value of a nucleus, an eighth of the training part's
nuclei of dsb2018 in each."""
UNEVENNESS_LIMITS = (0.20, 0.24, 0.31)
"""Between the levels: standard deviation over mean in a nucleus, about a quarter in each."""
LEVELS, UNEVENNESSES = len(BRIGHTNESS_LIMITS) + 1, len(UNEVENNESS_LIMITS) + 1
LOOKS = LEVELS * UNEVENNESSES
STEP = 5
"""Of the brightness from one number to the next; its own inverse modulo `LEVELS`."""
TEXTURE = 0.45
"""Largest distance of a pixel from its label; at 0.5 it would be another label."""


def looks_of(image: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """The look, 0 to 31, of each nucleus of a normalised image, both YX; by ascending label."""
    present, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    pixels = image.ravel().astype(float)
    means = np.bincount(index.ravel(), pixels) / counts
    variances = np.bincount(index.ravel(), (pixels - means[index.ravel()]) ** 2) / counts
    brightness = np.digitize(means, BRIGHTNESS_LIMITS)
    unevenness = np.digitize(np.sqrt(variances) / np.maximum(means, 1e-3), UNEVENNESS_LIMITS)
    return np.asarray(unevenness * LEVELS + STEP * brightness % LEVELS)[present > 0]


def numbered(labels: NDArray[np.int32], looks: NDArray[np.int64]) -> NDArray[np.int32]:
    """Label image YX with numbers that say `looks`, one for each nucleus by ascending label."""
    present, index = np.unique(labels, return_inverse=True)
    numbers = np.zeros(len(present), np.int32)
    numbers[present > 0] = 1 + looks + LOOKS * np.arange(len(looks))
    return numbers[index].reshape(labels.shape)


def with_texture(labels: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Label image with the chance that texture is made from, up to 0.45 either way; float32."""
    return (labels + rng.uniform(-TEXTURE, TEXTURE, labels.shape)).astype(np.float32)
