"""What the source's microscope does to what the target shows: a blur that is told from pairs.

The blur is the candidate that makes targets most like their sources: nothing, Gaussians, and the
PSF by the dataset's description of the microscope, where it has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import Instrument
from scopezoo.models.fidelity import pearson_r

Stack = NDArray[np.float32]
Region = tuple[slice, slice, slice]
SIGMAS_PX = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Along y and x; along z it is three times as long in µm, as light spreads in microscopes."""
ALONG_Z = 3.0
PSF_PX = 49
"""Along y and x; along z the PSF reaches from the first plane of a stack to the last."""
MOST_PLANES = 50
EXCITATION_BEFORE_UM = 0.03
"""How much shorter than the emission the excitation is taken to be where it is not told."""
IMMERSION_INDEX = 1.518
LARGEST_MARGIN = 0.25
"""Of a side; more is not cropped of small images."""


@dataclass(frozen=True)
class Blur:
    """A kernel ZYX that sums to 1, None for no blur."""

    name: str
    kernel: Stack | None

    def apply(self, stack: Stack) -> Stack:
        """The stack as the source's microscope would blur it, mirrored beyond its borders."""
        from scipy.signal import fftconvolve

        if self.kernel is None:
            return stack
        reach = [
            min(size // 2, n - 1) for size, n in zip(self.kernel.shape, stack.shape, strict=True)
        ]
        middle = tuple(
            slice(size // 2 - px, size // 2 + px + 1)
            for size, px in zip(self.kernel.shape, reach, strict=True)
        )
        kernel = self.kernel[middle]
        padded = np.pad(stack, [(px, px) for px in reach], mode="symmetric")
        return np.asarray(fftconvolve(padded, kernel / kernel.sum(), mode="valid"), np.float32)

    def inner(self, shape: Sequence[int]) -> Region:
        """Where light from beyond the borders does not count for much."""
        sizes = self.kernel.shape if self.kernel is not None else (1, 1, 1)
        z, y, x = (
            slice(margin, n - margin)
            for n, size in zip(shape, sizes, strict=True)
            for margin in [min(size // 2, int(n * LARGEST_MARGIN))]
        )
        return z, y, x


def candidates(
    instrument: Instrument | None, voxel_um: tuple[float, float, float], planes: int
) -> list[Blur]:
    """All blurs that are tried, for a stack of so many planes."""
    found = [Blur("no blur", None)]
    found += [_gaussian(sigma, voxel_um, planes == 1) for sigma in SIGMAS_PX]
    psf = _instrument_psf(instrument, voxel_um, planes) if instrument else None
    return [*found, psf] if psf else found


def best_blur(blurs: Sequence[Blur], pairs: Sequence[tuple[Stack, Stack]]) -> Blur:
    """The blur with the highest mean correlation of blurred target and source."""

    def likeness(blur: Blur) -> float:
        return float(
            np.mean(
                [
                    pearson_r(blur.apply(target)[inner], source[inner])
                    for source, target in pairs
                    for inner in [blur.inner(source.shape)]
                ]
            )
        )

    return max(blurs, key=likeness)


def _gaussian(sigma_px: float, voxel_um: tuple[float, float, float], is_plane: bool) -> Blur:
    sigma_z = 0.0 if is_plane else sigma_px * ALONG_Z * voxel_um[2] / voxel_um[0]
    profiles = []
    for sigma in (sigma_z, sigma_px, sigma_px):
        reach = int(np.ceil(3 * sigma))
        at = np.arange(-reach, reach + 1)
        profile = np.exp(-0.5 * (at / max(sigma, 1e-9)) ** 2)
        profiles.append(profile / profile.sum())
    kernel = np.einsum("z,y,x->zyx", *profiles)
    return Blur(f"Gaussian, {sigma_px:g} px", kernel.astype(np.float32))


def _instrument_psf(
    told: Instrument, voxel_um: tuple[float, float, float], planes: int
) -> Blur | None:
    """The PSF by the simulation of microscopes; None where the description does not suffice."""
    from pydantic import ValidationError

    from scopezoo.datasets.simulation import Instrument as Simulated
    from scopezoo.datasets.simulation.render import render

    words = f"{told.modality or ''} {told.microscope or ''}".lower().replace("-", "")
    kind = next((kind for kind in ("widefield", "confocal") if kind in words), None)
    if kind is None or told.na is None or told.wavelength_um is None:
        return None
    try:
        simulated = Simulated(
            name=told.id,
            kind=kind,  # type: ignore[arg-type] # one of the two
            na=told.na,
            wavelength_um=(
                told.excitation_um or told.wavelength_um - EXCITATION_BEFORE_UM,
                told.wavelength_um,
            ),
            voxel_um=voxel_um,
            shape=(2 * min(planes, MOST_PLANES) - 1, PSF_PX, PSF_PX),
            photons=1.0,
            immersion_index=told.immersion_index or IMMERSION_INDEX,
            pinhole_au=told.pinhole_au or 1.0,
        )
    except ValidationError:  # numbers that no microscope has
        return None
    image = render(np.array([[*simulated.centre_um, 1.0]]), simulated)
    return Blur(f"PSF of {told.microscope or told.id}", image / image.sum())
