"""A microscope: its optics, its grid of voxels, and what its detector adds."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Instrument:
    """One microscope as it is set for an acquisition; sizes in order z, y, x.

    `photons` is what a bright place (the 99th percentile of the field's projection along z) detects
    before bleaching: how long one exposes. Grey value = offset + gain · (electrons + read noise),
    in whole numbers of `bits` bits.
    """

    name: str
    kind: Literal["widefield", "confocal", "transmitted"]
    na: Positive
    wavelength_um: tuple[Positive, Positive]
    """Excitation and emission; transmitted light uses the second."""
    voxel_um: tuple[Positive, Positive, Positive]
    shape: tuple[Count, Count, Count]
    photons: Positive
    objective: str = "40x"
    immersion_index: Positive = 1.518
    pinhole_au: Positive = 1.0
    """Diameter of a confocal pinhole in Airy discs."""
    condenser_na: Positive = 0.5
    """Of transmitted light: the smaller, the more coherent."""
    background_photons: NotNegative = 5.0
    illumination_falloff: Fraction = 0.0
    """What the light lacks at the far corner of the field."""
    bleaching: Fraction = 0.0
    """What the last plane of the last frame has lost against the first."""
    offset: NotNegative = 100.0
    gain: Positive = 2.0
    """Grey levels per electron."""
    read_noise_electrons: NotNegative = 1.6
    excess_noise: Annotated[float, Field(ge=1)] = 1.0
    """A photomultiplier's: variance of what one photon gives, over that of photons alone."""
    bits: Annotated[int, Field(ge=8, le=16)] = 16

    @model_validator(mode="after")
    def _can_be(self) -> Instrument:
        if self.na >= self.immersion_index:
            raise ValueError(f"na {self.na} must be below immersion_index {self.immersion_index}")
        if self.kind == "confocal" and self.wavelength_um[1] < self.wavelength_um[0]:
            raise ValueError("wavelength_um: emission must not be shorter than excitation")
        return self

    @property
    def extent_um(self) -> NDArray[np.float64]:
        """Size of the field, z y x."""
        return np.asarray(np.array(self.shape) * self.voxel_um)

    @property
    def centre_um(self) -> NDArray[np.float64]:
        """Middle of the field, z y x, from the centre of its first voxel."""
        return np.asarray((np.array(self.shape) - 1) / 2 * self.voxel_um)
