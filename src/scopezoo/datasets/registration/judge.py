"""Judges a transform by the images alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.band import (
    NARROW,
    band_um,
    difference_of_gaussians,
    root,
)
from scopezoo.datasets.registration.blank import noise_in_band
from scopezoo.datasets.registration.blocks import SLABS, Blocks, measure_blocks
from scopezoo.datasets.registration.matrices import Matrix, Points, applied, grid_um, scales
from scopezoo.datasets.registration.quality import MIN_BLOCKS, Quality, reasons_against
from scopezoo.datasets.registration.residual import Field, fit_field
from scopezoo.datasets.registration.sampling import inside, sampled, thinned
from scopezoo.datasets.registration.volume import Volume
from scopezoo.datasets.smooth import Smooth

HISTOGRAM_BINS = 32
COMPARED_VOXELS = 2_000_000
"""So many are enough for a correlation of grey values."""
MIN_DEPTH = 3 * SLABS.size[0]
"""Planes in which slabs show more than blocks."""


@dataclass(frozen=True)
class Judgement:
    """The quality, the field of displacements (µm, in the target) that it is from, and what that
    was fitted to: `matched` blocks and slabs."""

    quality: Quality
    blocks: Blocks
    field: Field | None
    matched: Blocks


class Judge:
    """Judges transforms of one pair; `finer_um` is the finer plane step and pixel."""

    def __init__(self, source: Volume, target: Volume, finer_um: tuple[float, float]) -> None:
        self.source = source
        self.target = target
        self.finer_um = finer_um
        band = band_um(source, target, width=NARROW)
        sharp = [_sharp(volume, band) for volume in (source, target)]
        self._sharp = sharp[0][0], sharp[1][0]
        self._noise = sharp[0][1], sharp[1][1]

    def judged(self, matrix: Matrix, smooth: Smooth | None = None) -> Judgement:
        """Quality of a source-to-target transform."""
        blocks = measure_blocks(*self._sharp, matrix, self._noise, smooth)
        matched = blocks.found()
        field = None
        if len(matched.matched) >= MIN_BLOCKS:
            if self.target.shape[0] >= MIN_DEPTH:
                slabs = measure_blocks(*self._sharp, matrix, self._noise, smooth, SLABS)
                matched = matched.with_slabs(slabs.found())
            field = fit_field(matched)
        quality = self._quality(matrix, smooth, blocks, field)
        return Judgement(quality, blocks, field, matched)

    def _quality(
        self, matrix: Matrix, smooth: Smooth | None, blocks: Blocks, field: Field | None
    ) -> Quality:
        overlap = _overlap(self.source, self.target, matrix)
        figures = residuals(
            field, overlap_um(self.source, self.target, matrix), self.target, self.finer_um
        )
        quality = Quality(
            passed=False,
            blocks=len(blocks.matched),
            blocks_matched=int(blocks.matched.sum()),
            stretch_zyx=None if field is None else _three(field.stretch),
            similarity_before=self._before[0],
            similarity_after=_similarity(self.source, self.target, matrix, smooth),
            mutual_information_before=self._before[1],
            mutual_information_after=_information(*self._sharp, matrix, smooth),
            overlap_fraction=overlap,
        )
        quality = quality.model_copy(update=figures)
        reasons = reasons_against(quality, _three(scales(matrix)))
        return quality.model_copy(update={"reasons": reasons, "passed": not reasons})

    @cached_property
    def _before(self) -> tuple[float | None, float | None]:
        as_is = np.eye(4)
        return (
            _similarity(self.source, self.target, as_is, None),
            _information(*self._sharp, as_is, None),
        )


def overlap_um(source: Volume, target: Volume, matrix: Matrix) -> Points:
    """Places (n, 3) in the target, evenly spread, that the source has too."""
    places = grid_um(target.shape, target.spacing_um, target.origin_um)
    in_source = applied(np.linalg.inv(matrix), places) - source.origin_um
    within = (in_source >= 0) & (in_source <= source.extent_um)
    if target.is_plane:
        within[:, 0] = True
    return places[within.all(axis=1)]


def residuals(
    field: Field | None, places_um: Points, target: Volume, finer_um: tuple[float, float]
) -> dict[str, float]:
    """Figures of a field over places, by their names in `Quality`."""
    if field is None or not len(places_um):
        return {}
    z, y, x = field.at(places_um).T
    figures = _spread("residual", np.hypot(y, x), finer_um[1], "px")
    if not target.is_plane:
        figures |= _spread("axial_residual", np.abs(z), finer_um[0], "planes")
    return figures


def _spread(
    name: str, lengths_um: NDArray[np.float64], step_um: float, unit: str
) -> dict[str, float]:
    median, p95 = float(np.median(lengths_um)), float(np.percentile(lengths_um, 95))
    return {
        f"{name}_median_um": median,
        f"{name}_p95_um": p95,
        f"{name}_median_{unit}": median / step_um,
        f"{name}_p95_{unit}": p95 / step_um,
    }


def _sharp(volume: Volume, band: tuple[float, float]) -> tuple[Volume, float]:
    """Band-passed to unit variance, and the standard deviation that noise has of it."""
    found = difference_of_gaussians(root(volume), volume, band)
    spread = max(float(found.std()), 1e-12)
    return volume.with_voxels(found / spread), noise_in_band(volume, band) / spread


def _compared(
    source: Volume, target: Volume, matrix: Matrix, smooth: Smooth | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Grey values of both at some places of the overlap."""
    grid = thinned(target, COMPARED_VOXELS)
    moved, within = sampled(source, np.linalg.inv(matrix), grid, smooth=smooth)
    return moved[within], grid.voxels[within]


def _similarity(
    source: Volume, target: Volume, matrix: Matrix, smooth: Smooth | None
) -> float | None:
    """Pearson's r of the overlap's logarithms."""
    pair = _compared(source, target, matrix, smooth)
    one, other = (np.log1p(np.maximum(values, 0)) for values in pair)
    if one.size < 2 or not one.std() or not other.std():
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _information(
    source: Volume, target: Volume, matrix: Matrix, smooth: Smooth | None
) -> float | None:
    """Mutual information of the overlap's band-passed values, in bits."""
    pair = _compared(source, target, matrix, smooth)
    if pair[0].size < 2:
        return None
    classes = [
        np.searchsorted(np.quantile(v, np.linspace(0, 1, HISTOGRAM_BINS + 1)[1:-1]), v)
        for v in pair
    ]
    flat = classes[0] * HISTOGRAM_BINS + classes[1]
    joint = np.bincount(flat, minlength=HISTOGRAM_BINS**2).reshape(HISTOGRAM_BINS, -1) / flat.size
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log2(joint[some] / independent[some])).sum())


def _overlap(source: Volume, target: Volume, matrix: Matrix) -> float:
    """Fraction of the smaller image that both have."""
    grid = thinned(target, COMPARED_VOXELS)
    common = inside(source, np.linalg.inv(matrix), grid).mean()
    sizes = [float(np.prod(np.array(v.shape) * v.spacing_um)) for v in (source, target)]
    return min(1.0, float(common) * sizes[1] / min(sizes))


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x
