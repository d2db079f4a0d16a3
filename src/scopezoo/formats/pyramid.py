"""The resolution levels of an OME-Zarr image: their geometry, and their pixels block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.formats.image_writer import Pixels

COARSEST_PX = 512
"""No level is made of one whose Y and X are at most this long."""

BLOCK_PIXELS = 2**20
"""About how many pixels of a level are computed at once."""


@dataclass(frozen=True)
class Level:
    """Sizes by axis letter, and how many full-resolution pixels one pixel spans along each axis."""

    sizes: Mapping[str, int]
    factors: Mapping[str, int]


def plan_levels(sizes: Mapping[str, int], pixel_size_um: Mapping[str, float]) -> list[Level]:
    """Levels from full resolution on, each half of the one before in Y and X.

    Z is halved too where its pixels are known to be no longer than those of Y. Sizes round up.
    """
    levels = [Level(dict(sizes), dict.fromkeys(sizes, 1))]
    while max(levels[-1].sizes["Y"], levels[-1].sizes["X"]) > COARSEST_PX:
        last = levels[-1]
        halved = "ZYX" if _z_is_fine(last, pixel_size_um) else "YX"
        levels.append(
            Level(
                {axis: -(-n // 2) if axis in halved else n for axis, n in last.sizes.items()},
                {axis: 2 * f if axis in halved else f for axis, f in last.factors.items()},
            )
        )
    return levels


def _z_is_fine(level: Level, pixel_size_um: Mapping[str, float]) -> bool:
    if not {"Z", "Y"} <= pixel_size_um.keys() or level.sizes.get("Z", 1) < 2:
        return False
    spacing = pixel_size_um["Z"] * level.factors["Z"]
    return spacing <= pixel_size_um["Y"] * level.factors["Y"]


def fill_level(source: Pixels, target: Pixels, chunks: tuple[int, ...], nearest: bool) -> None:
    """Compute `target` from `source`, the next finer level, in blocks that are whole chunks.

    An axis that is as long in both is kept, the others are halved: by the mean of two neighbours,
    or, with `nearest`, by every other pixel (labels have no mean).
    """
    steps = tuple(
        1 if fine == coarse else 2 for fine, coarse in zip(source.shape, target.shape, strict=True)
    )
    for block in blocks(target.shape, chunks):
        finer = tuple(
            slice(part.start * step, min(part.stop * step, size))
            for part, step, size in zip(block, steps, source.shape, strict=True)
        )
        pixels = np.asarray(source[finer])
        target[block] = every_other(pixels, steps) if nearest else mean_of_pairs(pixels, steps)


def blocks(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Regions of whole chunks that cover `shape` once, several chunks wide where they are small."""
    grow = max(1, int((BLOCK_PIXELS / np.prod(chunks)) ** 0.5))
    sizes = [*chunks[:-2], chunks[-2] * grow, chunks[-1] * grow]
    ranges = [range(0, size, step) for size, step in zip(shape, sizes, strict=True)]
    for starts in product(*ranges):
        yield tuple(
            slice(start, min(start + step, size))
            for start, step, size in zip(starts, sizes, shape, strict=True)
        )


def every_other(pixels: NDArray[Any], steps: tuple[int, ...]) -> NDArray[Any]:
    return pixels[tuple(slice(None, None, step) for step in steps)]


def mean_of_pairs(pixels: NDArray[Any], steps: tuple[int, ...]) -> NDArray[Any]:
    """Mean over blocks of `steps` pixels, of those that exist at a far edge of odd length.

    Integers are rounded, halves to even.
    """
    margin = [(0, -size % step) for size, step in zip(pixels.shape, steps, strict=True)]
    padded = np.pad(pixels, margin, mode="edge")
    split: list[int] = []
    for size, step in zip(padded.shape, steps, strict=True):
        split += [size // step, step]
    wide = np.float32 if pixels.dtype.itemsize <= 2 or pixels.dtype == np.float32 else np.float64
    inner = tuple(range(1, 2 * pixels.ndim, 2))
    mean: NDArray[Any] = padded.reshape(split).mean(axis=inner, dtype=wide)
    if pixels.dtype.kind in "iu":
        mean = np.rint(mean)
    return mean.astype(pixels.dtype)
