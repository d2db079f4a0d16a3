"""Does the input support the result? The result, blurred again, must look like the input.

Light that the result has and the input lacks was invented. What counts as much is told by the
target: blurred in the same way it differs from the input too, by noise, by light from outside the
field and by what the blur does not know. So there is a map, in units of that, and no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scopezoo.models.fidelity import pearson_r, scaled_to
from scopezoo.validation.quality.blur import Blur, Region, Stack

SMOOTH_PX = 1.0
DARK_PERCENTILE = 0.1
FLOOR = 0.02
"""Of the source's range; keeps the root of what is dark from counting for much."""
STRONG = 4.0
"""Deviations beyond which a place counts."""


@dataclass(frozen=True)
class Consistency:
    """Over the inner part of the field, see `Blur.inner`.

    `r` and `target_r` are correlations with the input of the blurred result and target.
    `invented` is the share of places with more light in the blurred result than in the input by
    more than 4 deviations of the target's, `missing` that with less; `target_*` are those of the
    target itself, for comparison. `deviations` is the map, ZYX: positive where light was invented.
    """

    r: float
    target_r: float
    invented: float
    missing: float
    target_invented: float
    target_missing: float
    inner: Region
    deviations: NDArray[np.float32]

    def as_dict(self) -> dict[str, float]:
        names = ("r", "target_r", "invented", "missing", "target_invented", "target_missing")
        return {name: getattr(self, name) for name in names}


def consistency(source: Stack, prediction: Stack, target: Stack, blur: Blur) -> Consistency:
    """Of one field on the source's grid; `target` has no hole."""
    inner = blur.inner(source.shape)
    seen = source[inner]
    again, wanted = (blur.apply(stack)[inner] for stack in (prediction, target))
    differences = [_difference(stack, seen) for stack in (again, wanted)]
    middle = float(np.median(differences[1]))
    usual = 1.4826 * float(np.median(np.abs(differences[1] - middle)))
    own, targets = ((one - middle) / max(usual, 1e-12) for one in differences)
    return Consistency(
        r=pearson_r(again, seen),
        target_r=pearson_r(wanted, seen),
        invented=float((own > STRONG).mean()),
        missing=float((own < -STRONG).mean()),
        target_invented=float((targets > STRONG).mean()),
        target_missing=float((targets < -STRONG).mean()),
        inner=inner,
        deviations=own.astype(np.float32),
    )


def _difference(blurred: Stack, source: Stack) -> NDArray[np.float64]:
    """Of the roots, for then the noise of photons is alike in bright and dark places."""
    low, high = np.percentile(source, [DARK_PERCENTILE, 100 - DARK_PERCENTILE])
    floor = low - FLOOR * max(float(high - low), 1e-12)
    pair = (scaled_to(blurred, source), source.astype(np.float64))
    rooted = [np.sqrt(np.maximum(_smooth(one) - floor, 0)) for one in pair]
    return np.asarray(rooted[0] - rooted[1])


def _smooth(stack: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(stack, [SMOOTH_PX if n > 1 else 0.0 for n in stack.shape]))
