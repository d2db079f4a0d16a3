"""Fields that were taken twice: the same, or nearly the same, image."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.fields import group_fields
from scopezoo.datasets.paired.manifest import SIDES, Pair
from scopezoo.datasets.paired.sampling import GriddedImage
from scopezoo.datasets.paired.store import Dataset
from scopezoo.errors import ScopezooError

LOOKED_AT_PX = 256
"""Middle planes are averaged down until neither side is longer."""
ILLUMINATION_PX = 32.0
"""Sigma, after that: uneven light, which all fields of a microscope share, is divided out."""
FLAT_LEVEL = 1000.0


def alike_fields(dataset: Dataset) -> list[list[str]]:
    """Groups of two or more pairs that show one field, by their ids.

    Pairs are alike where a chunk list (sha256) is the same, and where the middle planes of the
    sources, or of the targets, correlate or continue each other (`datasets.fields.group_fields`).
    Pairs whose images cannot be read are left to `check`.
    """
    links = _same_pixels(dataset.pairs)
    for side in SIDES:
        planes: dict[str, NDArray[Any]] = {}
        for pair in dataset.pairs:
            entry = pair.image(side)
            try:
                planes[pair.id] = middle_plane(GriddedImage.of(dataset.image(entry), entry))
            except ScopezooError:
                continue
        by_instrument: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        for pair in dataset.pairs:
            if pair.id in planes:
                by_instrument[pair.image(side).instrument][pair.id] = planes[pair.id]
        for images in by_instrument.values():
            links += [group for group in group_fields(images) if len(group) > 1]
    return _joined(links)


def middle_plane(image: GriddedImage) -> NDArray[np.float32]:
    """The middle plane, small, with even light."""
    from scipy.ndimage import gaussian_filter

    z = image.shape[0] // 2
    plane = image.read((slice(z, z + 1), slice(None), slice(None)))[0]
    step = -(-max(plane.shape) // LOOKED_AT_PX)
    height, width = (max(1, size // step) for size in plane.shape)
    step_y, step_x = (min(step, size) for size in plane.shape)
    blocks = plane[: height * step_y, : width * step_x].reshape(height, step_y, width, step_x)
    small = np.maximum(blocks.mean(axis=(1, 3)), 0)
    light = gaussian_filter(small, ILLUMINATION_PX)
    return np.asarray(FLAT_LEVEL * small / np.maximum(light, 1e-6), dtype=np.float32)


def _same_pixels(pairs: list[Pair]) -> list[list[str]]:
    by_hash: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        for entry in {pair.source.sha256, pair.target.sha256}:
            by_hash[entry].append(pair.id)
    return [ids for ids in by_hash.values() if len(ids) > 1]


def _joined(links: list[list[str]]) -> list[list[str]]:
    """Groups that share a member become one; sorted."""
    group_of: dict[str, set[str]] = {}
    for link in links:
        together = set(link).union(*(group_of.get(one, set()) for one in link))
        for one in together:
            group_of[one] = together
    return sorted(sorted(group) for group in {id(g): g for g in group_of.values()}.values())
