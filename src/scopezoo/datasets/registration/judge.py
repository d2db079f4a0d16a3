"""Judges a transform by the images alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.band import band_passed, band_um
from scopezoo.datasets.registration.blocks import Blocks, measure_blocks
from scopezoo.datasets.registration.matrices import Matrix, Points, applied, grid_um, scales
from scopezoo.datasets.registration.quality import MIN_BLOCKS, Quality, reasons_against
from scopezoo.datasets.registration.residual import Field, fit_field
from scopezoo.datasets.registration.sampling import sampled
from scopezoo.datasets.registration.volume import Volume

HISTOGRAM_BINS = 32
INFORMATION_VOXELS = 1_000_000


@dataclass(frozen=True)
class Judgement:
    """The quality, and the field of displacements (µm, in the target) that it is from."""

    quality: Quality
    blocks: Blocks
    field: Field | None


def judge(
    source: Volume, target: Volume, matrix: Matrix, finer_um: tuple[float, float]
) -> Judgement:
    """Quality of a source-to-target transform; `finer_um` is the finer plane step and pixel."""
    band = band_um(source, target)
    sharp_source, sharp_target = band_passed(source, band), band_passed(target, band)
    blocks = measure_blocks(sharp_source, sharp_target, matrix)
    matched = blocks.found()
    field = fit_field(matched) if len(matched.matched) >= MIN_BLOCKS else None
    before, _ = _similarity(source, target, np.eye(4))
    after, inside = _similarity(source, target, matrix)
    figures = _residuals(field, overlap_um(source, target, matrix), target.is_plane, finer_um)
    quality = Quality(
        passed=False,
        blocks=len(blocks.matched),
        blocks_matched=len(matched.matched),
        stretch_zyx=None if field is None else _three(field.stretch),
        similarity_before=before,
        similarity_after=after,
        mutual_information_before=_information(sharp_source, sharp_target, np.eye(4)),
        mutual_information_after=_information(sharp_source, sharp_target, matrix),
        overlap_fraction=_overlap(inside, source, target),
    )
    quality = quality.model_copy(update=figures)
    reasons = reasons_against(quality, _three(scales(matrix)))
    judged = quality.model_copy(update={"reasons": reasons, "passed": not reasons})
    return Judgement(judged, blocks, field)


def overlap_um(source: Volume, target: Volume, matrix: Matrix) -> Points:
    """Places (n, 3) in the target, evenly spread, that the source has too."""
    places = grid_um(target.shape, target.spacing_um, target.origin_um)
    in_source = applied(np.linalg.inv(matrix), places) - source.origin_um
    within = (in_source >= 0) & (in_source <= source.extent_um)
    if target.is_plane:
        within[:, 0] = True
    return places[within.all(axis=1)]


def _residuals(
    field: Field | None, places_um: Points, plane: bool, finer_um: tuple[float, float]
) -> dict[str, float]:
    if field is None or not len(places_um):
        return {}
    z, y, x = field.at(places_um).T
    lateral = np.hypot(y, x)
    figures = _spread("residual", lateral, finer_um[1], "px")
    if not plane:
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


def _similarity(
    source: Volume, target: Volume, matrix: Matrix
) -> tuple[float | None, NDArray[np.bool_]]:
    """Pearson's r of the overlap's logarithms, and the overlap."""
    moved, inside = sampled(source, np.linalg.inv(matrix), target)
    one, other = (np.log1p(np.maximum(v[inside], 0)) for v in (moved, target.voxels))
    if one.size < 2 or not one.std() or not other.std():
        return None, inside
    return float(np.corrcoef(one, other)[0, 1]), inside


def _information(source: Volume, target: Volume, matrix: Matrix) -> float | None:
    """Mutual information of the overlap's band-passed values, in bits."""
    moved, inside = sampled(source, np.linalg.inv(matrix), target)
    step = 1 + target.voxels.size // INFORMATION_VOXELS
    one, other = moved[inside][::step], target.voxels[inside][::step]
    if one.size < 2:
        return None
    classes = [
        np.searchsorted(np.quantile(v, np.linspace(0, 1, HISTOGRAM_BINS + 1)[1:-1]), v)
        for v in (one, other)
    ]
    flat = classes[0] * HISTOGRAM_BINS + classes[1]
    joint = np.bincount(flat, minlength=HISTOGRAM_BINS**2).reshape(HISTOGRAM_BINS, -1) / flat.size
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log2(joint[some] / independent[some])).sum())


def _overlap(inside: NDArray[np.bool_], source: Volume, target: Volume) -> float:
    """Fraction of the smaller image that both have."""
    sizes = [float(np.prod(np.array(v.shape) * v.spacing_um)) for v in (source, target)]
    return min(1.0, float(inside.mean()) * sizes[1] / min(sizes))


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x
