"""What is known of a registration without ground truth."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MAX_MEDIAN_PX = 1.0
MAX_P95_PX = 3.0
MAX_AXIAL_PLANES = 1.0
MIN_MATCHED = 0.5
MIN_BLOCKS = 3
MIN_OVERLAP = 0.1
MAX_STRETCH = 0.05
"""Further than this, and a voxel size is more likely wrong than two objectives are unlike."""


class Quality(BaseModel):
    """How well source and target agree; None where it could not be measured.

    The residual is what sub-blocks, each registered anew, still see as displacement, in micrometres
    and in pixels (planes) of the finer image: lateral over y and x, axial along z (None for
    planes). Similarity is Pearson's r of log(1 + grey value) in the overlap (or a few bright
    spots would decide alone), mutual information that of the band-passed images in bits; `before`
    with the images laid on each other by their first voxels. The overlap is a fraction of the
    smaller image. `without_smooth` has the residual of the matrix alone, where more than that was
    found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    reasons: tuple[str, ...] = ()
    residual_median_um: float | None = None
    residual_p95_um: float | None = None
    residual_median_px: float | None = None
    residual_p95_px: float | None = None
    axial_residual_median_um: float | None = None
    axial_residual_p95_um: float | None = None
    axial_residual_median_planes: float | None = None
    axial_residual_p95_planes: float | None = None
    blocks: int = 0
    blocks_matched: int = 0
    stretch_zyx: tuple[float, float, float] | None = None
    similarity_before: float | None = None
    similarity_after: float | None = None
    mutual_information_before: float | None = None
    mutual_information_after: float | None = None
    overlap_fraction: float | None = None
    without_smooth: dict[str, float] | None = None

    def residual(self) -> dict[str, float]:
        """The figures of the residual alone."""
        names = {name for name in Quality.model_fields if "residual" in name}
        figures = self.model_dump(include=names)
        return {name: value for name, value in figures.items() if value is not None}


def failed(*reasons: str) -> Quality:
    """Of a pair that was not registered at all."""
    return Quality(passed=False, reasons=reasons)


def reasons_against(quality: Quality, scales_zyx: tuple[float, float, float]) -> tuple[str, ...]:
    """Why a registration with these figures is not to be trusted; nothing for a good one.

    `scales_zyx` is how much the transform stretches the source.
    """
    overlap = quality.overlap_fraction or 0.0
    if overlap < MIN_OVERLAP:
        return (f"the images overlap by {overlap:.0%} only: do they show the same field?",)
    if quality.blocks_matched < MIN_BLOCKS:
        return (
            f"{quality.blocks_matched} of {quality.blocks} sub-blocks find their match: no "
            "common structure, or images too small to judge",
        )
    return (
        *_unmatched(quality),
        *_residuals(quality),
        *_suspicious_scales(quality, scales_zyx),
    )


def has_field(quality: Quality) -> bool:
    """Whether so many blocks find their match that the residual says what is wrong."""
    return quality.blocks_matched >= max(MIN_BLOCKS, MIN_MATCHED * quality.blocks)


def _unmatched(quality: Quality) -> tuple[str, ...]:
    if has_field(quality):
        return ()
    return (
        f"only {quality.blocks_matched} of {quality.blocks} sub-blocks find their match: "
        "the images lie wrongly, or show different things",
    )


def _residuals(quality: Quality) -> tuple[str, ...]:
    limits = (
        (quality.residual_median_px, MAX_MEDIAN_PX, "median lateral residual", "px"),
        (quality.residual_p95_px, MAX_P95_PX, "95th percentile of the lateral residual", "px"),
        (quality.axial_residual_median_planes, MAX_AXIAL_PLANES, "median axial residual", "planes"),
    )
    return tuple(
        f"{name} {found:.2f} {unit}, above {limit:g}"
        for found, limit, name, unit in limits
        if found is not None and found > limit
    )


def _suspicious_scales(quality: Quality, scales_zyx: tuple[float, float, float]) -> tuple[str, ...]:
    stretch = quality.stretch_zyx or (0.0, 0.0, 0.0)
    totals = [scale * (1 + more) for scale, more in zip(scales_zyx, stretch, strict=True)]
    return tuple(
        f"the source must be stretched {total:.3f} × along {axis}: is a voxel size wrong?"
        for axis, total in zip("zyx", totals, strict=True)
        if abs(total - 1) > MAX_STRETCH
    )
