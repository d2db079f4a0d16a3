"""Why two images do not fit: mirrored, stacked the other way, or of another voxel size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scopezoo.datasets.registration.coarse import find_coarse
from scopezoo.datasets.registration.volume import Volume

CLEARLY = 1.5
"""How many times better the images must fit when something is changed."""
NO_CHANCE = 40.0
"""A score above all that chance finds."""
SIZE_FACTORS = 2.0 ** np.linspace(-1.05, 1.05, 29)
SMALL_ROTATION_DEG = 3.0


def diagnosed(source: Volume, target: Volume, max_rotation_deg: float) -> tuple[str, ...]:
    """What would make the source fit much better, if there is such a thing."""
    as_is = find_coarse(source, target, max_rotation_deg).score
    needed = max(CLEARLY * as_is, NO_CHANCE)
    score, reason = max(_flips(source, target, max_rotation_deg))
    if score <= needed:
        score, reason = max(_sizes(source, target))
    return (reason,) if score > needed else ()


def _flips(source: Volume, target: Volume, max_rotation_deg: float) -> list[tuple[float, str]]:
    names = {0: "the order of the planes is reversed in one of them (z)", 1: "one is mirrored (y)"}
    names |= {2: "one is mirrored (x)"}
    return [
        (
            find_coarse(
                source.with_voxels(np.ascontiguousarray(np.flip(source.voxels, axis))),
                target,
                max_rotation_deg,
            ).score,
            f"the images fit if {names[axis]}",
        )
        for axis in ((1, 2) if source.is_plane else (0, 1, 2))
    ]


def _sizes(source: Volume, target: Volume) -> list[tuple[float, str]]:
    tried = []
    for factor in SIZE_FACTORS:
        spacing = source.spacing_um * np.array([1, factor, factor])
        resized = replace(source, spacing_um=spacing, origin_um=source.origin_um * factor)
        score = find_coarse(resized, target, SMALL_ROTATION_DEG).score
        reason = (
            f"the images fit if the source's pixel size is {spacing[2]:.3g} µm instead of "
            f"{source.spacing_um[2]:.3g} µm (or the target's is wrong by the inverse)"
        )
        tried.append((score, reason))
    return tried
