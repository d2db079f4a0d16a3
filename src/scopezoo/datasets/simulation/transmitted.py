"""Bright field: light of a condenser through a specimen that delays it, slice by slice.

Each point of the condenser's aperture sends a plane wave; a wave passes a slice by its delay and
goes to the next by the angular spectrum (multi-slice: Cowley and Moodie, Acta Cryst. 10, 609,
1957); the objective then focuses what leaves the specimen on each plane, and the intensities of all
waves add up (Köhler illumination, partially coherent). Scattering backwards is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.simulation.cell import Cell
from scopezoo.datasets.simulation.instrument import Instrument
from scopezoo.datasets.simulation.misregistration import transform
from scopezoo.datasets.simulation.render import deposit
from scopezoo.datasets.simulation.structures import StructureName

MEDIUM_INDEX = 1.337
CYTOPLASM = 0.02
"""Refractive index over that of the medium."""
STRUCTURE: dict[StructureName, float] = {"nuclei": 0.009, "tubules": 0.01, "puncta": 0.006}
"""What the mean concentration in a structure adds to the cytoplasm's."""
MARGIN_UM = 4.0
"""Round the field, so that the periodic waves do not come in from the other side."""
WAVES = 16
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def image(
    instrument: Instrument,
    to_specimen: NDArray[np.float64],
    cells: Sequence[Cell],
    concentrations: Sequence[NDArray[Any]],
) -> NDArray[np.float32]:
    """Intensity (1 without a specimen) at each voxel, float32 ZYX.

    `to_specimen` is the 4×4 matrix from positions in the field, `concentrations` are points in it
    (N × z, y, x in µm, refractive index · µm³).
    """
    margin = np.ceil(MARGIN_UM / np.array(instrument.voxel_um)).astype(int)
    wide = _padded(instrument, margin)
    shift = np.eye(4)
    shift[:3, 3] = -margin * np.array(instrument.voxel_um)
    moved = [points - [*shift[:3, 3], 0] for points in concentrations]
    index = refractive_index(wide, to_specimen @ shift, cells, moved)
    planes, height, width = instrument.shape
    _, y, x = margin
    bright = bright_field(index, wide, int(margin[0]))
    return bright[:planes, y : y + height, x : x + width]


def _padded(instrument: Instrument, margin: NDArray[np.int64]) -> Instrument:
    from scipy.fft import next_fast_len

    planes, height, width = (int(n) for n in np.array(instrument.shape) + 2 * margin)
    return replace(instrument, shape=(planes, next_fast_len(height), next_fast_len(width)))


def refractive_index(
    instrument: Instrument,
    to_specimen: NDArray[np.float64],
    cells: Sequence[Cell],
    concentrations: Sequence[NDArray[Any]],
) -> NDArray[np.float32]:
    """Index over that of the medium on the voxels of an instrument, float32 ZYX."""
    index = np.zeros(instrument.shape, dtype=np.float32)
    for cell in cells:
        _add_cytoplasm(index, instrument, to_specimen, cell)
    volume = float(np.prod(instrument.voxel_um))
    for points in concentrations:
        place = points[:, :3] / np.array(instrument.voxel_um)
        for z, plane in deposit(place, points[:, 3] / volume, instrument.shape):
            index[z] += plane
    return index


def bright_field(
    index: NDArray[np.float32], instrument: Instrument, first: int
) -> NDArray[np.float32]:
    """Intensity (1 without a specimen) at each plane from `first` to its mirror, float32 ZYX.

    `index` (ZYX) is the refractive index over that of the medium.
    """
    from scipy import fft

    depth, height, width = index.shape
    step, pitch_y, pitch_x = instrument.voxel_um
    wavelength = instrument.wavelength_um[1]
    ky, kx = np.meshgrid(fft.fftfreq(height, pitch_y), fft.fftfreq(width, pitch_x), indexing="ij")
    axial = np.sqrt(np.clip((MEDIUM_INDEX / wavelength) ** 2 - ky**2 - kx**2, 0, None))
    axial -= MEDIUM_INDEX / wavelength
    forward = np.exp(2j * np.pi * step * axial).astype(np.complex64)
    pupil = np.hypot(ky, kx) <= min(instrument.na, MEDIUM_INDEX) / wavelength
    backward = np.conj(forward)
    delay = np.exp(2j * np.pi * step / wavelength * index.astype(np.float64)).astype(np.complex64)
    image = np.zeros((depth - 2 * first, height, width), dtype=np.float32)
    for tilt in _condenser(instrument, height, width):
        wave = np.exp(2j * np.pi * tilt).astype(np.complex64)
        for slice_delay in delay:
            wave = fft.ifft2(fft.fft2(wave * slice_delay, workers=-1) * forward, workers=-1)
        spectrum = fft.fft2(wave, workers=-1) * pupil
        for z in range(depth - 1, first - 1, -1):
            spectrum *= backward
            if z < depth - first:
                field = fft.ifft2(spectrum, workers=-1)
                image[z - first] += (field.real**2 + field.imag**2) / WAVES
    return image


def _condenser(instrument: Instrument, height: int, width: int) -> list[NDArray[np.float64]]:
    """Phases (in turns, YX) of plane waves spread evenly over the condenser's aperture."""
    _, pitch_y, pitch_x = instrument.voxel_um
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    waves = []
    for number in range(WAVES):
        radius = np.sqrt((number + 0.5) / WAVES) * instrument.condenser_na
        frequency = radius / instrument.wavelength_um[1]
        angle = number * GOLDEN_ANGLE
        # whole periods over the grid, or its edge would diffract
        turns_y = np.rint(frequency * np.sin(angle) * height * pitch_y)
        turns_x = np.rint(frequency * np.cos(angle) * width * pitch_x)
        waves.append(turns_y * y / height + turns_x * x / width)
    return waves


def _add_cytoplasm(
    index: NDArray[np.float32],
    instrument: Instrument,
    to_specimen: NDArray[np.float64],
    cell: Cell,
) -> None:
    """Add the cell's body, its surface soft over a voxel, plane by plane where it may be."""
    size = np.array(instrument.voxel_um)
    y, x = np.meshgrid(
        *(np.arange(n) * s for n, s in zip(index.shape[1:], size[1:], strict=True)), indexing="ij"
    )
    flat = np.column_stack([np.zeros(y.size), y.ravel(), x.ravel()])
    bottom = cell.local(transform(to_specimen, flat))
    near = np.flatnonzero(np.hypot(bottom[:, 1], bottom[:, 2]) < 1.4 * max(cell.half_axes_um))
    top = cell.thickness_um(bottom[near, 1], bottom[near, 2])
    scale = np.linalg.norm(to_specimen[:3, 0])
    plane = np.zeros(y.size, dtype=np.float32)
    for z in range(len(index)):
        height = bottom[near, 0] + z * size[0] * scale
        if not np.any((height > -2 * size[0]) & (height < top + 2 * size[0])):
            continue
        inside = np.clip(0.5 + np.minimum(height, top - height) / size[0], 0, 1)
        plane[near] = np.where(top > 0, CYTOPLASM * inside, 0)
        index[z] += plane.reshape(y.shape)
