"""How an instrument images emitters: cut-off, reach and transfer function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.simulation.instrument import Instrument
from scopezoo.datasets.simulation.point_spread import (
    RadialSpectrum,
    confocal_psf,
    widefield_psf,
)

WIDEFIELD_REACH_UM = 10.0, 8.0
"""How far out of focus, and sideways, the light of an emitter is followed."""
CONFOCAL_REACH_UM = 2.5, 1.5
NEGLIGIBLE = 3e-3
"""A confocal's spectrum is cut off where it falls below this part of its maximum."""
FINEST = 0.85
"""Largest frequency that is rendered, over the limit of the grid that it is rendered on."""


@dataclass(frozen=True)
class Optics:
    """Spectra of the PSF over radial frequency, a row for each step of defocus from 0 on.

    `fine` is how many steps go to a voxel, in z and in y and x, so that nothing aliases.
    """

    spectra: NDArray[np.float64]
    cutoff_per_um: float
    reach_um: tuple[float, float]
    fine: tuple[int, int]

    @property
    def planes(self) -> int:
        """Steps out of focus that are followed."""
        return len(self.spectra) - 1


@lru_cache(maxsize=8)
def optics(instrument: Instrument) -> Optics:
    """The optics of a fluorescence microscope on the steps that its voxels need."""
    confocal = instrument.kind == "confocal"
    reach = CONFOCAL_REACH_UM if confocal else WIDEFIELD_REACH_UM
    # a confocal's PSF is the product of two, and its band the sum of theirs
    waves = [1 / wavelength for wavelength in instrument.wavelength_um[0 if confocal else 1 :]]
    lateral = 2 * instrument.na * sum(waves)
    index = instrument.immersion_index
    axial = (index - np.sqrt(index**2 - instrument.na**2)) * sum(waves)
    fine_z = _steps(instrument.voxel_um[0], axial)
    step = instrument.voxel_um[0] / fine_z
    radial = RadialSpectrum(reach[1], lateral)
    psf = instrument_psf(instrument, radial, np.arange(int(reach[0] / step) + 1) * step)
    spectra = radial.forward(psf)
    if confocal:
        strong = np.flatnonzero(np.abs(spectra[0]) > NEGLIGIBLE * spectra[0, 0])[-1]
        lateral = float(radial.frequency_per_um[strong])
        spectra = spectra[:, : strong + 1]
    return Optics(spectra, lateral, reach, (fine_z, _steps(instrument.voxel_um[1], lateral)))


def _steps(size_um: float, cutoff_per_um: float) -> int:
    return max(1, int(np.ceil(2 * size_um * cutoff_per_um / FINEST)))


def instrument_psf(
    instrument: Instrument, radial: RadialSpectrum, z_um: NDArray[Any]
) -> NDArray[np.float64]:
    """PSF (z, radius) of a fluorescence microscope; the plane in focus holds the light 1."""
    excitation_um, emission_um = instrument.wavelength_um
    if instrument.kind == "confocal":
        return confocal_psf(
            instrument.na,
            instrument.immersion_index,
            excitation_um,
            emission_um,
            instrument.pinhole_au,
            radial,
            z_um,
        )
    return widefield_psf(instrument.na, instrument.immersion_index, emission_um, radial, z_um)
