"""The noise-free image of point emitters at any place, without interpolation.

Emitters are spread on a fine grid by cubic B-splines, and the spectrum is multiplied by that of the
PSF and of the pixel and divided by that of the spline: what remains is the aliasing of the spline,
below 1 % of the peak (a non-uniform Fourier transform; Greengard and Lee, SIAM Rev. 46, 443, 2004).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.simulation.instrument import Instrument
from scopezoo.datasets.simulation.optics import Optics, optics

TILE_PX = 256
ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class _Grid:
    """The fine grid of one tile, in steps of the optics, periodic.

    `margin` and `below` are its steps before the tile in y and x, and below its first plane.
    """

    instrument: Instrument
    optics: Optics
    tile: tuple[int, int]
    shape: tuple[int, int, int]
    margin: int
    below: int

    @property
    def columns(self) -> int:
        """Columns of the half spectrum that the optics pass."""
        step = self.optics.fine[1] / (self.shape[2] * self.instrument.voxel_um[2])
        return min(int(self.optics.cutoff_per_um / step) + 1, self.shape[2] // 2 + 1)


def render(emitters: NDArray[Any], instrument: Instrument) -> NDArray[np.float32]:
    """Light of emitters (N × z, y, x, brightness; µm from the first voxel's centre), float32 ZYX.

    An emitter of brightness 1 in focus gives light that sums to 1 over its plane; a camera's
    pixels integrate over their area, a confocal's points do not. Memory is that of one tile.
    """
    image = np.zeros(instrument.shape, dtype=np.float32)
    positions = emitters[:, :3] / np.array(instrument.voxel_um)
    reach = np.array(optics(instrument).reach_um)[[0, 1, 1]] / instrument.voxel_um
    near = np.all((positions > -reach) & (positions < instrument.shape + reach), axis=1)
    positions, brightness = positions[near], emitters[near, 3]
    if not len(positions):
        return image
    grid = _grid(instrument, positions[:, 0].min(), positions[:, 0].max())
    for y, x in product(*(range(0, n, t) for n, t in zip(image.shape[1:], grid.tile, strict=True))):
        corner = np.array([y, x])
        inside = np.all(
            (positions[:, 1:] > corner - reach[1:])
            & (positions[:, 1:] < corner + grid.tile + reach[1:]),
            axis=1,
        )
        tile = image[:, y : y + grid.tile[0], x : x + grid.tile[1]]
        if inside.any():
            tile[...] = _tile(grid, positions[inside] - [0, y, x], brightness[inside])[
                :, : tile.shape[1], : tile.shape[2]
            ]
    return np.maximum(image, 0, out=image)


def _grid(instrument: Instrument, lowest: float, highest: float) -> _Grid:
    from scipy.fft import next_fast_len

    lens = optics(instrument)
    fine_z, fine = lens.fine
    margin = int(np.ceil(lens.reach_um[1] / instrument.voxel_um[1]) + 2) * fine
    tile = tuple(int(np.ceil(n / np.ceil(n / TILE_PX))) for n in instrument.shape[1:])
    last = (instrument.shape[0] - 1) * fine_z
    below = int(np.clip(np.ceil(-lowest * fine_z), 0, lens.planes)) + 2
    above = int(np.clip(np.ceil(highest * fine_z) - last, 0, lens.planes)) + 3
    # room for the PSF to wrap into, beyond the planes of image and emitters
    depth = max(last + 1 + max(below, above) + lens.planes, last + 1 + below + above)
    shape = (
        next_fast_len(depth),
        next_fast_len(tile[0] * fine + 2 * margin, real=True),
        next_fast_len(tile[1] * fine + 2 * margin, real=True),
    )
    return _Grid(instrument, lens, (tile[0], tile[1]), shape, margin, below)


def _tile(grid: _Grid, positions: NDArray[Any], brightness: NDArray[Any]) -> NDArray[np.float32]:
    """Image of one tile, ZYX, from positions in voxels of it."""
    from scipy import fft

    fine_z, fine = grid.optics.fine
    place = positions * [fine_z, fine, fine] + [grid.below, grid.margin, grid.margin]
    spectrum = np.zeros((*grid.shape[:2], grid.columns), dtype=np.complex64)
    for z, plane in deposit(place, brightness, grid.shape):
        spectrum[z] = fft.rfft2(plane, workers=-1)[:, : grid.columns]
    _filter(grid, spectrum)
    image = np.empty((grid.instrument.shape[0], *grid.tile), dtype=np.float32)
    rows, columns = (slice(grid.margin, grid.margin + size * fine, fine) for size in grid.tile)
    for z in range(len(image)):
        plane = fft.irfft2(spectrum[z * fine_z + grid.below], s=grid.shape[1:], workers=-1)
        image[z] = plane[rows, columns]
    return image


def _filter(grid: _Grid, spectrum: NDArray[np.complex64]) -> None:
    """Multiply the lateral spectra of all planes (z, ky, kx) by the optics, in place."""
    from scipy import fft

    table, lateral = _transfer(grid)
    for start in range(0, grid.shape[1], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        index, part, factor = (each[rows] for each in lateral)
        block = fft.fft(spectrum[:, rows], axis=0, workers=-1, overwrite_x=True)
        for plane, line in zip(block, table, strict=True):
            plane *= (line[index] * (1 - part) + line[index + 1] * part) * factor
        spectrum[:, rows] = fft.ifft(block, axis=0, workers=-1, overwrite_x=True)


def deposit(
    place: NDArray[Any], brightness: NDArray[Any], shape: tuple[int, int, int]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Planes (z, YX) that hold light of emitters at `place` (grid units), by cubic B-splines."""
    base = np.floor(place).astype(np.int64)
    inside = np.all((base >= 1) & (base < np.array(shape) - 2), axis=1)
    order = np.flatnonzero(inside)[np.argsort(base[inside, 0], kind="stable")]
    base, part, light = base[order], (place[order] - base[order]).astype(np.float32), brightness
    light = brightness[order].astype(np.float32)
    if not len(order):
        return
    pending: dict[int, NDArray[np.float32]] = {}
    bounds = np.flatnonzero(np.diff(base[:, 0], prepend=-1, append=-1))
    for first, stop in pairwise(bounds):
        z = int(base[first, 0])
        yield from ((ready, pending.pop(ready)) for ready in sorted(pending) if ready < z - 1)
        group = slice(first, stop)
        across_z, across_y, across_x = (_cubic(part[group, axis]) for axis in range(3))
        index = (base[group, 1] * shape[2] + base[group, 2])[:, None, None] + (
            np.arange(-1, 3)[:, None] * shape[2] + np.arange(-1, 3)
        )
        weight = (light[group, None] * across_y)[:, :, None] * across_x[:, None, :]
        for offset in range(4):
            sums = np.bincount(
                index.ravel(),
                (weight * across_z[:, offset, None, None]).ravel(),
                minlength=shape[1] * shape[2],
            )
            plane = pending.setdefault(z - 1 + offset, np.zeros(shape[1:], dtype=np.float32))
            plane += sums.reshape(shape[1:])
    yield from sorted(pending.items())


def _cubic(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights (N × 4) of the grid points −1, 0, 1, 2 about places 0 ≤ part < 1 after point 0."""
    rest = 1 - part
    return np.stack(
        [
            rest**3 / 6,
            2 / 3 - part**2 * (2 - part) / 2,
            2 / 3 - rest**2 * (2 - rest) / 2,
            part**3 / 6,
        ],
        axis=1,
    )


def _transfer(grid: _Grid) -> tuple[NDArray[np.float32], tuple[NDArray[Any], ...]]:
    """Spectra (kz, radial frequency), and how each (ky, kx) looks them up: index, part, factor."""
    from scipy import fft

    depth, height, width = grid.shape
    column = np.zeros((depth, grid.optics.spectra.shape[1]))
    planes = min(grid.optics.planes, (depth - 1) // 2)
    column[: planes + 1] = grid.optics.spectra[: planes + 1]
    column[depth - planes :] = grid.optics.spectra[planes:0:-1]
    table = fft.fft(column, axis=0).real / np.sinc(fft.fftfreq(depth))[:, None] ** 4
    table = np.pad(table, ((0, 0), (0, 2))).astype(np.float32)  # nothing beyond the cut-off

    ky, kx = fft.fftfreq(height), fft.rfftfreq(width)[: grid.columns]
    fine = grid.optics.fine[1]
    per_um = fine / np.array(grid.instrument.voxel_um[1:])
    radius = np.hypot(*np.meshgrid(ky * per_um[0], kx * per_um[1], indexing="ij"))
    at = radius / grid.optics.cutoff_per_um * (grid.optics.spectra.shape[1] - 1)
    at = np.minimum(at, grid.optics.spectra.shape[1])
    index = at.astype(np.int32)

    def along(frequency: NDArray[Any]) -> NDArray[Any]:
        pixel = np.sinc(frequency * fine) if grid.instrument.kind == "widefield" else 1
        return np.asarray(fine * pixel / np.sinc(frequency) ** 4)

    factor = along(ky)[:, None] * along(kx)[None]
    return table, (index, (at - index).astype(np.float32), factor.astype(np.float32))
