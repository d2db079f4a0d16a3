"""Measures of restoration: known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.models.fidelity import (
    agreement_um,
    nrmse,
    pearson_r,
    psnr_db,
    ring_correlation,
    scaled_to,
    ssim,
)

RNG = np.random.default_rng(0)
STACK = RNG.normal(size=(3, 64, 64))


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(0.01, 100), offset=st.floats(-1e3, 1e3))
def test_scale_and_offset_are_matched_away(gain: float, offset: float) -> None:
    np.testing.assert_allclose(scaled_to(STACK * gain + offset, STACK), STACK, atol=1e-6)
    noisy = STACK + RNG.normal(size=STACK.shape)
    np.testing.assert_allclose(
        scaled_to(noisy * gain + offset, STACK), scaled_to(noisy, STACK), atol=1e-6
    )


def test_a_constant_image_is_scaled_to_the_mean() -> None:
    np.testing.assert_allclose(scaled_to(np.ones_like(STACK), STACK), STACK.mean())
    assert pearson_r(np.ones_like(STACK), STACK) == 0


def test_errors_of_known_size() -> None:
    off = STACK + np.where(RNG.random(STACK.shape) < 0.5, 0.1, -0.1)
    assert psnr_db(off, STACK, data_range=10.0) == pytest.approx(40)
    assert nrmse(off, STACK, data_range=10.0) == pytest.approx(0.01)


def test_ssim_looks_only_where_both_saw() -> None:
    seen = np.ones(STACK.shape, dtype=bool)
    seen[:, :32] = False
    wrong = STACK.copy()
    wrong[:, :28] = 0
    assert ssim(wrong, STACK, 6.0, seen) == pytest.approx(1)
    assert ssim(wrong, STACK, 6.0, ~seen) < 0.5


def band_limited(rng: np.random.Generator, size: int, highest: int) -> NDArray[np.float64]:
    """White noise up to so many periods in the side, nothing beyond."""
    spectrum = np.fft.fft2(rng.normal(size=(size, size)))
    frequency = np.fft.fftfreq(size, 1 / size)
    return np.fft.ifft2(spectrum * (np.hypot(frequency[:, None], frequency) <= highest)).real


def test_ring_correlation_is_1_for_the_same_and_small_for_independent_planes() -> None:
    plane, other = RNG.normal(size=(2, 128, 128))
    np.testing.assert_allclose(ring_correlation(plane, plane), 1)
    np.testing.assert_allclose(ring_correlation(plane, -3 * plane), -1)
    assert np.abs(ring_correlation(plane, other)[8:]).max() < 0.3


@pytest.mark.parametrize("highest", [10, 20, 40])
def test_agreement_ends_where_two_noisy_images_share_nothing_more(highest: int) -> None:
    rng = np.random.default_rng(highest)
    pixel_um = 0.1
    shared = np.stack([band_limited(rng, 128, highest) for _ in range(8)])
    noise = 0.02 * shared.std() * rng.normal(size=(2, *shared.shape))
    found = agreement_um(shared + noise[0], shared + noise[1], pixel_um)
    assert found is not None
    # fading the edges out and averaging over rings blurs the end by three of them
    assert 128 * pixel_um / found == pytest.approx(highest, abs=3)


def test_agreement_of_equal_and_of_unrelated_images() -> None:
    stack, other = RNG.normal(size=(2, 16, 64, 64))
    assert agreement_um(stack, stack, 0.1) == pytest.approx(0.2)
    assert agreement_um(stack, other, 0.1) is None
