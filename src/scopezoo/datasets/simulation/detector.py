"""From light to grey values: uneven light, bleaching, photons, electrons, bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.simulation.instrument import Instrument

BRIGHT_PERCENTILE = 99.0
"""Of the projection through all planes; a sparse structure fills little of the volume."""
BRIGHTEST_SPOT = np.array([0.1, -0.15])
"""Where the light is strongest, y x from the middle, in half widths of the field."""


def lit(emitters: NDArray[Any], instrument: Instrument) -> NDArray[np.float64]:
    """Emitters (N × z, y, x, brightness) under uneven light, brightest off the middle."""
    if not instrument.illumination_falloff:
        return emitters
    half = instrument.extent_um[1:] / 2
    off = (emitters[:, 1:3] - instrument.centre_um[1:]) / half - BRIGHTEST_SPOT
    corner = np.sum((1 + np.abs(BRIGHTEST_SPOT)) ** 2)
    light = 1 - instrument.illumination_falloff * np.sum(off**2, axis=1) / corner
    result = emitters.copy()
    result[:, 3] *= np.clip(light, 0, None)
    return result


def exposed(image: NDArray[Any], instrument: Instrument, signal: float) -> NDArray[np.float32]:
    """Photons of an image of relative light (ZYX), before bleaching and background, float32."""
    if instrument.kind == "transmitted":
        return np.asarray(image * instrument.photons * signal, dtype=np.float32)
    bright = float(np.percentile(image.max(axis=0), BRIGHT_PERCENTILE)) or float(image.max())
    scale = instrument.photons * signal / bright if bright > 0 else 0.0
    return np.asarray(image * scale, dtype=np.float32)


def bleached(
    photons: NDArray[np.float32], instrument: Instrument, frames: int, background: float
) -> NDArray[np.float32]:
    """Expected photons TZYX of `frames` stacks, plane after plane, with the background."""
    planes = frames * len(photons)
    lost = np.linspace(0, 1, planes) if planes > 1 else np.zeros(1)
    left = ((1 - instrument.bleaching) ** lost).reshape(frames, len(photons), 1, 1)
    expected = photons[None] * left + instrument.background_photons * background
    return np.asarray(expected, dtype=np.float32)


def detect(
    photons: NDArray[Any], instrument: Instrument, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Grey values of expected photons, in the same axes; uint16.

    Before rounding and clipping their variance is
    gain² · (excess_noise · photons + read_noise_electrons²).
    """
    grey = np.empty(photons.shape, dtype=np.uint16)
    for index in np.ndindex(photons.shape[:-2]):
        electrons = rng.poisson(photons[index]).astype(np.float32)
        if instrument.excess_noise > 1:  # each photon gives a random pulse of mean 1
            pulse = np.float32(1 / (instrument.excess_noise - 1))
            some = electrons > 0
            electrons[some] = rng.standard_gamma(electrons[some] * pulse, dtype=np.float32) / pulse
        noise = rng.standard_normal(electrons.shape, dtype=np.float32)
        electrons += np.float32(instrument.read_noise_electrons) * noise
        levels = np.rint(instrument.offset + instrument.gain * electrons)
        grey[index] = np.clip(levels, 0, 2**instrument.bits - 1)
    return grey
