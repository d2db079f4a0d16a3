"""The smooth residual beside a matrix, kept where it makes the judged residual better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scopezoo.datasets.registration.judge import Judge, Judgement
from scopezoo.datasets.registration.matrices import Matrix, Points
from scopezoo.datasets.registration.quality import Quality
from scopezoo.datasets.registration.residual import Field
from scopezoo.datasets.smooth import Smooth

MIN_GAIN_PX = 0.05
"""By which the lateral or axial residual must fall, in pixels or planes; less is chance."""
ROUNDS = 3
"""Blur carries some of a drift into the planes beside; so blocks see but most of it at once."""


def smoothed(judge: Judge, matrix: Matrix, judgement: Judgement) -> tuple[Smooth | None, Judgement]:
    """What the blocks of `judgement` see, as a smooth residual, judged anew by blocks on top of it.

    Where that is no better, None and the judgement as it was.
    """
    fields: list[Field] = []
    smooth, best = None, judgement
    for _ in range(ROUNDS):
        if best.field is None:
            break
        fields.append(best.field)
        wider = _together(fields)
        after = judge.judged(matrix, wider)
        if not is_better(after.quality, best.quality):
            break
        smooth, best = wider, after
    if smooth is None:
        return None, judgement
    before = judgement.quality.residual()
    return smooth, replace(best, quality=best.quality.model_copy(update={"without_smooth": before}))


def is_better(after: Quality, before: Quality) -> bool:
    """Whether no residual became larger, and one of them clearly smaller."""
    pairs = (
        (after.residual_p95_px, before.residual_p95_px),
        (after.axial_residual_p95_planes, before.axial_residual_p95_planes),
    )
    gains = [old - new for new, old in pairs if new is not None and old is not None]
    matches = after.blocks_matched >= before.blocks_matched * 0.9
    return matches and bool(gains) and max(gains) > MIN_GAIN_PX and min(gains) > -MIN_GAIN_PX


def _together(fields: list[Field]) -> Smooth:
    """Fields, each of which was seen from where those before it led."""

    def displacement(places_um: Points) -> Points:
        moved = places_um
        for field in fields:
            moved = moved + field.at(np.clip(moved, field.low_um, field.high_um))
        return moved - places_um

    low = np.min([field.low_um for field in fields], axis=0)
    high = np.max([field.high_um for field in fields], axis=0)
    z, y, x = np.max([field.nodes for field in fields], axis=0)
    return Smooth.of(displacement, low, high, (int(z), int(y), int(x)))
