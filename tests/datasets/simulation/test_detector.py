from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.simulation.detector import bleached, detect, exposed, lit
from tests.datasets.simulation.small import CONFOCAL, WIDEFIELD


@settings(max_examples=20)
@given(
    photons=st.floats(2, 300),
    gain=st.floats(2, 20),
    read=st.floats(0, 5),
    excess=st.sampled_from([1.0, 1.2, 2.0]),
    seed=st.integers(0, 99),
)
def test_noise_is_of_photons_pulses_and_reading(
    photons: float, gain: float, read: float, excess: float, seed: int
) -> None:
    camera = replace(
        WIDEFIELD, gain=gain, read_noise_electrons=read, excess_noise=excess, offset=500
    )
    flat = np.full((1, 250, 250), photons, dtype=np.float32)
    electrons = (detect(flat, camera, np.random.default_rng(seed)).astype(float) - 500) / gain
    variance = excess * photons + read**2 + 1 / 12 / gain**2  # the last of rounding
    assert electrons.mean() == pytest.approx(photons, abs=5 * np.sqrt(variance / 250**2))
    assert electrons.var() == pytest.approx(variance, rel=0.06)


def test_grey_values_stop_at_the_last_bit() -> None:
    camera = replace(WIDEFIELD, bits=12)
    bright = np.full((2, 4, 4), 1e6, dtype=np.float32)
    assert np.all(detect(bright, camera, np.random.default_rng(0)) == 4095)


def test_bleaching_goes_on_from_plane_to_plane_and_frame_to_frame() -> None:
    camera = replace(WIDEFIELD, bleaching=0.36, background_photons=3)
    photons = bleached(np.full((5, 2, 2), 100, dtype=np.float32), camera, 2, 2.0)
    light = photons[:, :, 0, 0].ravel() - 6
    assert photons.shape == (2, 5, 2, 2)
    np.testing.assert_allclose(light, 100 * 0.64 ** (np.arange(10) / 9), rtol=1e-5)


def test_light_falls_off_towards_the_corners() -> None:
    camera = replace(WIDEFIELD, illumination_falloff=0.4)
    size = camera.extent_um
    places = [camera.centre_um, [0, 0, size[2]], [0, size[1], 0], camera.centre_um]
    emitters = np.column_stack([places, [1.0, 1, 1, 2]])
    light = lit(emitters, camera)[:, 3]
    assert light[0] > 0.97
    assert light[3] == 2 * light[0]
    assert light.min() == pytest.approx(0.6, abs=0.05)
    assert np.all(emitters[:, 3] == [1, 1, 1, 2])


def test_the_exposure_gives_bright_places_the_photons() -> None:
    image = np.random.default_rng(0).random((4, 50, 50), dtype=np.float32)
    photons = exposed(image, CONFOCAL, 0.5)
    bright = np.percentile(photons.max(axis=0), 99)
    assert bright == pytest.approx(CONFOCAL.photons / 2, rel=1e-3)
    assert exposed(np.zeros((2, 3, 3)), CONFOCAL, 1.0).max() == 0
