"""Power by spatial frequency."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from scopezoo.models.spectra import BANDS, power_db


def test_noise_is_flat_and_blur_takes_the_fine() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (128, 150)).astype(np.float32)
    flat = power_db(noise)
    assert flat.shape == (BANDS,)
    assert np.abs(flat + 20).max() < 2.5
    lost = flat - power_db(gaussian_filter(noise, 1.5))
    assert (np.diff(lost) > 0).all()
    assert lost[0] < 1


def test_brightness_counts_for_nothing_and_contrast_for_20_db_a_decade() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (64, 64)).astype(np.float32)
    np.testing.assert_allclose(power_db(10 * noise + 5) - power_db(noise), 20, atol=0.01)
