"""The image of one point emitter, by vector diffraction, as a function of radius and defocus.

Emitters turn freely and fast, so their dipoles point everywhere: the image is the mean over
orientations, |I0|² + 2|I1|² + |I2|² in the notation of Richards and Wolf (Proc. R. Soc. A 253,
358, 1959), for excitation and, by reciprocity, for emission. Sample and immersion have one index.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RADIUS_STEP_UM = 0.02
NODES_PER_RADIAN = 2
"""Quadrature nodes over the aperture for each radian that the phase turns."""


def focal_intensity(
    na: float, index: float, wavelength_um: float, radius_um: NDArray[Any], z_um: NDArray[Any]
) -> NDArray[np.float64]:
    """Intensity (z, radius) at distances from the focus of a lens; 1 in the focus."""
    from scipy.special import j0, j1

    top = np.arcsin(na / index)
    wavenumber = 2 * np.pi * index / wavelength_um
    turn = wavenumber * (np.max(radius_um) * na / index + np.max(z_um) * (1 - np.cos(top)))
    nodes, weights = np.polynomial.legendre.leggauss(40 + int(NODES_PER_RADIAN * turn / np.pi))
    theta = top * (nodes + 1) / 2
    aplanatic = np.sqrt(np.cos(theta)) * np.sin(theta) * weights
    defocus = np.exp(1j * wavenumber * np.outer(z_um, np.cos(theta)))
    argument = wavenumber * np.outer(np.sin(theta), radius_um)
    zeroth, first = j0(argument), j1(argument)
    safe = np.where(argument > 0, argument, 1)
    second = np.where(argument > 0, 2 * first / safe, 1.0) - zeroth

    def integral(factor: NDArray[Any], bessel: NDArray[Any]) -> NDArray[np.float64]:
        field = (defocus * (aplanatic * factor)) @ bessel
        return np.asarray(field.real**2 + field.imag**2)

    intensity = (
        integral(1 + np.cos(theta), zeroth)
        + 2 * integral(np.sin(theta), first)
        + integral(1 - np.cos(theta), second)
    )
    focus = np.sum(aplanatic * (1 + np.cos(theta))) ** 2
    return np.asarray(intensity / focus)


class RadialSpectrum:
    """Fourier transform of circularly symmetric images between radius and radial frequency."""

    def __init__(self, reach_um: float, cutoff_per_um: float) -> None:
        from scipy.special import j0

        self.radius_um = np.arange(0, reach_um + RADIUS_STEP_UM / 2, RADIUS_STEP_UM)
        self.frequency_per_um = np.linspace(0, cutoff_per_um, int(32 * reach_um * cutoff_per_um))
        self._bessel = j0(2 * np.pi * np.outer(self.radius_um, self.frequency_per_um))
        # the rule of rectangles is exact for a band-limited image but for the disc around 0
        self._area = 2 * np.pi * self.radius_um * RADIUS_STEP_UM
        self._area[0] = np.pi * RADIUS_STEP_UM**2 / 6
        self._area[-1] /= 2

    def flux(self, image: NDArray[Any]) -> NDArray[np.float64]:
        """Integral over the plane of images (…, radius)."""
        return np.asarray(image @ self._area)

    def forward(self, image: NDArray[Any]) -> NDArray[np.float64]:
        """Spectra (…, frequency) of images (…, radius)."""
        return np.asarray((image * self._area) @ self._bessel)

    def backward(self, spectrum: NDArray[Any]) -> NDArray[np.float64]:
        """Images (…, radius) of spectra (…, frequency)."""
        step = self.frequency_per_um[1]
        return np.asarray((spectrum * (2 * np.pi * self.frequency_per_um * step)) @ self._bessel.T)


def widefield_psf(
    na: float, index: float, emission_um: float, radial: RadialSpectrum, z_um: NDArray[Any]
) -> NDArray[np.float64]:
    """PSF (z, radius) of an evenly lit specimen: each plane holds the same light, 1.

    Light beyond the largest radius is put back inside it.
    """
    image = focal_intensity(na, index, emission_um, radial.radius_um, z_um)
    return np.asarray(image / radial.flux(image)[:, None])


def confocal_psf(
    na: float,
    index: float,
    excitation_um: float,
    emission_um: float,
    pinhole_au: float,
    radial: RadialSpectrum,
    z_um: NDArray[Any],
) -> NDArray[np.float64]:
    """PSF (z, radius) of a focused beam and a round pinhole; the plane in focus holds 1.

    `pinhole_au` is the pinhole's diameter in units of the Airy disc's, 1.22 λ/NA of emission.
    """
    from scipy.special import j1

    excitation = focal_intensity(na, index, excitation_um, radial.radius_um, z_um)
    emission = widefield_psf(na, index, emission_um, radial, z_um)
    argument = 2 * np.pi * radial.frequency_per_um * (pinhole_au * 0.61 * emission_um / na)
    pinhole = np.ones_like(argument)
    pinhole[1:] = 2 * j1(argument[1:]) / argument[1:]
    detection = radial.backward(radial.forward(emission) * pinhole)
    image = excitation * np.maximum(detection, 0)
    return np.asarray(image / radial.flux(image[:1]))
