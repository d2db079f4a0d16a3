"""The part of a pair that both microscopes saw, on the source's grid, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.sampling import corners, inverse, sampled_block
from scopezoo.errors import IncompatibleImageError
from scopezoo.image import Image, arranged
from scopezoo.models.pairs import places_inside
from scopezoo.validation.quality.blur import Region, Stack
from scopezoo.validation.quality.cases import PairCase

LARGEST_PX = 16_000_000
"""Voxels of a field that are measured at most; of a larger field, the middle."""
LEAST_SEEN = 0.01


@dataclass(frozen=True)
class Field:
    """float32 ZYX; `seen` is where the target's microscope saw something.

    `region` is the part of the source. `is_whole` is whether that is all that both saw.
    """

    source: Stack
    target: Stack
    seen: NDArray[np.bool_]
    region: Region
    is_whole: bool

    @property
    def target_range(self) -> tuple[float, float]:
        """Percentiles 0.1 and 99.9 of what was seen of the target."""
        low, high = np.percentile(self.target[self.seen], [0.1, 99.9])
        return float(low), float(high)


def read_field(case: PairCase) -> Field:
    """Raises IncompatibleImageError where there is nothing to compare."""
    region, is_whole = _region(case)
    source = case.source.read(region)
    place = np.eye(4)
    place[:3, 3] = [part.start for part in region]
    seen = places_inside(source.shape, case.to_target @ place, case.target.shape)
    if seen.mean() < LEAST_SEEN:
        raise IncompatibleImageError("its images do not overlap by its transform")
    target = sampled_block(case.target, case.bent_to_target or case.to_target, region)
    for name, pixels in (("source", source), ("target", target[seen])):
        if not np.isfinite(pixels).all():
            raise IncompatibleImageError(f"its {name} has pixels that are NaN or infinite")
        if pixels.min() == pixels.max():
            raise IncompatibleImageError(f"its {name} is blank")
    return Field(source, target, seen, region, is_whole)


def predicted_field(image: Image, case: PairCase, field: Field) -> Stack:
    """The same region of a model's output.

    Raises IncompatibleImageError for an output on another grid, of several channels, or with pixels
    that are no numbers.
    """
    sizes = [(image.size(axis), case.image.size(axis)) for axis in "ZYX"]
    if any(found != expected for found, expected in sizes):
        raise IncompatibleImageError(
            f"the model's output has axes {image.axes} {image.shape} for an image with axes "
            f"{case.image.axes} {case.image.shape}: only results on the input's grid are measured"
        )
    if image.size("C") > 1 or image.size("T") > 1:
        raise IncompatibleImageError(
            f"the model's output has axes {image.axes} {image.shape}: one channel is measured"
        )
    z, y, x = field.region
    pixels: NDArray[Any] = arranged(image.read(Z=z, Y=y, X=x), tuple(image.axes), ("Z", "Y", "X"))
    if not np.isfinite(pixels).all():
        raise IncompatibleImageError("the model's output has pixels that are NaN or infinite")
    return pixels.astype(np.float32)


def _region(case: PairCase) -> tuple[Region, bool]:
    """The box of what both saw, around its middle if it is too large; whether it is all."""
    depth, height, width = case.target.shape
    box = (slice(0, depth), slice(0, height), slice(0, width))
    matrix = case.to_target.copy()
    if case.target.is_plane:
        matrix[0] = [1, 0, 0, 0]  # every plane of the source belongs to the one plane
    places = corners(box) @ inverse(matrix)[:3, :3].T + inverse(matrix)[:3, 3]
    low, high = np.floor(places.min(axis=0)).astype(int), np.ceil(places.max(axis=0)).astype(int)
    shape = np.array(case.source.shape)
    low, high = np.clip(low, 0, shape - 1), np.clip(high + 1, 1, shape)
    if case.target.is_plane:
        low[0], high[0] = 0, shape[0]
    if (high <= low).any():
        raise IncompatibleImageError("its images do not overlap by its transform")
    sizes = high - low
    shrink = (LARGEST_PX / float(sizes.prod())) ** (1 / max(1, int((sizes > 1).sum())))
    kept = sizes if shrink >= 1 else np.maximum(1, (sizes * shrink).astype(int))
    start = low + (sizes - kept) // 2
    z, y, x = (slice(int(a), int(a + n)) for a, n in zip(start, kept, strict=True))
    return (z, y, x), shrink >= 1
