from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import j1

from scopezoo.datasets.simulation.point_spread import (
    RadialSpectrum,
    confocal_psf,
    focal_intensity,
    widefield_psf,
)


def _full_width_um(profile: NDArray[Any], step_um: float) -> float:
    """Twice the distance at which a profile from its maximum on falls to half."""
    half = profile[0] / 2
    below = int(np.argmax(profile < half))
    part = (profile[below - 1] - half) / (profile[below - 1] - profile[below])
    return float(2 * step_um * (below - 1 + part))


@pytest.mark.parametrize(("kind", "lateral", "axial"), [("w", 0.247, 0.63), ("c", 0.221, 0.485)])
def test_widths_are_those_of_another_vectorial_model(
    kind: str, lateral: float, axial: float
) -> None:
    """Known from psfmodels at NA 1.2 in water, GFP; a confocal with a pinhole of 1 Airy unit."""
    radial, z_um = RadialSpectrum(2.0, 9.5), np.arange(60) * 0.02
    if kind == "w":
        psf = widefield_psf(1.2, 1.333, 0.525, radial, z_um)
    else:
        psf = confocal_psf(1.2, 1.333, 0.488, 0.525, 1.0, radial, z_um)
    assert _full_width_um(psf[0], 0.02) == pytest.approx(lateral, rel=0.03)
    assert _full_width_um(psf[:, 0], 0.02) == pytest.approx(axial, rel=0.03)


@settings(max_examples=20)
@given(st.floats(0.02, 0.1), st.floats(0.4, 0.8))
def test_a_weak_lens_makes_an_airy_disc(na: float, wavelength_um: float) -> None:
    v = np.linspace(0.01, 12, 80)
    radius_um = v * wavelength_um / (2 * np.pi * na)
    u = np.linspace(0, 20, 30)  # 2π/λ · NA²/n · z
    z_um = u * wavelength_um * 1.33 / (2 * np.pi * na**2)
    image = focal_intensity(na, 1.33, wavelength_um, radius_um, z_um)
    np.testing.assert_allclose(image[0], (2 * j1(v) / v) ** 2, atol=0.005)
    np.testing.assert_allclose(image[:, 0], np.sinc(u / 4 / np.pi) ** 2, atol=0.005)


def test_a_lens_loses_no_light_out_of_focus() -> None:
    radius_um = np.arange(0, 15, 0.02)
    image = focal_intensity(1.3, 1.518, 0.52, radius_um, np.array([0.0, 0.5, 1.0, 2.0, 4.0]))
    flux = (image * radius_um).sum(axis=1)
    np.testing.assert_allclose(flux / flux[0], 1, atol=0.01)


def test_a_wide_field_never_loses_light_a_pinhole_does() -> None:
    radial, z_um = RadialSpectrum(3.0, 11.2), np.arange(0, 6, 0.25)
    wide = widefield_psf(1.4, 1.518, 0.52, radial, z_um)
    np.testing.assert_allclose(radial.flux(wide), 1)
    thin, open_ = (
        radial.flux(confocal_psf(1.4, 1.518, 0.488, 0.52, au, radial, z_um)) for au in (0.5, 2.0)
    )
    assert thin[0] == pytest.approx(1)
    assert np.all(thin[2:] < open_[2:])
    assert thin[8] < 0.02  # 2 µm out of focus


def test_a_spectrum_goes_there_and_back() -> None:
    radial = RadialSpectrum(2.0, 8.0)
    sigma = 0.15
    image = np.exp(-(radial.radius_um**2) / 2 / sigma**2)
    spectrum = 2 * np.pi * sigma**2 * np.exp(-2 * (np.pi * sigma * radial.frequency_per_um) ** 2)
    np.testing.assert_allclose(radial.forward(image), spectrum, atol=1e-4)
    np.testing.assert_allclose(radial.backward(spectrum), image, atol=1e-3)
