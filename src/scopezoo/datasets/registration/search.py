"""From coarse to fine, and once more where the first result is doubtful."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scopezoo.datasets.registration.coarse import Found, coarse_candidates
from scopezoo.datasets.registration.correct import corrected
from scopezoo.datasets.registration.judge import Judge, Judgement
from scopezoo.datasets.registration.matrices import Matrix, applied, grid_um
from scopezoo.datasets.registration.quality import MIN_BLOCKS, Quality, has_field
from scopezoo.datasets.registration.refine import Model, levels, refine

DOUBTFUL_PX = 0.25
DOUBTFUL_PLANES = 0.5
"""Residuals (median) from which a result is tried to be made better."""
CORRECTIONS = 4
MIN_GAIN = 0.02
"""Of a correction, in pixels and planes; one after another, as long as they gain."""
OTHER_STARTS = 1
APART_UM = 1.0
"""Starts that are nearer to each other lead to the same place."""


@dataclass(frozen=True)
class Searched:
    """The best matrix from source to target, and what is known of it."""

    matrix: Matrix
    judgement: Judgement


def searched(judge: Judge, model: Model, max_rotation_deg: float) -> Searched:
    """The transform of a pair.

    A doubtful one is corrected by what its own blocks see, and, where few of them see anything,
    sought again from another coarse start; what is judged best is kept.
    """
    candidates = coarse_candidates(judge.source, judge.target, max_rotation_deg)
    first, *others = _apart(candidates, judge)
    best = _tried(judge, first, model)
    for start in others[:OTHER_STARTS]:
        if not has_field(best.judgement.quality):
            best = max(best, _tried(judge, start, model), key=_merit)
    return best


def _tried(judge: Judge, start: Matrix, model: Model) -> Searched:
    matrix = refine(judge.source, judge.target, start, levels(model))
    found = Searched(matrix, judge.judged(matrix))
    if not _is_doubtful(found.judgement.quality):
        return found
    for _ in range(CORRECTIONS):
        if found.judgement.quality.blocks_matched < MIN_BLOCKS:
            break
        matrix = corrected(found.matrix, found.judgement.matched, model)
        better = Searched(matrix, judge.judged(matrix))
        gain = _merit(better)[-1] - _merit(found)[-1]
        found = max(found, better, key=_merit)
        if gain < MIN_GAIN:
            break
    return found


def _is_doubtful(quality: Quality) -> bool:
    lateral = quality.residual_median_px
    axial = quality.axial_residual_median_planes or 0.0
    return not quality.passed or lateral is None or lateral > DOUBTFUL_PX or axial > DOUBTFUL_PLANES


def _merit(found: Searched) -> tuple[float, ...]:
    """Larger is better: first what holds at all, then more matches, then less residual."""
    quality = found.judgement.quality
    share = quality.blocks_matched / max(quality.blocks, 1)
    residual = quality.residual_median_px or 0.0, quality.axial_residual_median_planes or 0.0
    return float(quality.passed), round(share, 1), -sum(residual)


def _apart(candidates: list[Found], judge: Judge) -> list[Matrix]:
    """Starts from the best on, none near a better one."""
    source = judge.source
    places = grid_um(source.shape, source.spacing_um, source.origin_um, steps=2)
    kept: list[Matrix] = []
    for found in sorted(candidates, key=lambda one: one.score, reverse=True):
        moved = applied(found.matrix, places)
        ways = [np.linalg.norm(applied(one, places) - moved, axis=1).mean() for one in kept]
        if not ways or min(ways) > APART_UM:
            kept.append(found.matrix)
    return kept
