"""Copies an image into OME-Zarr, block by block, and refuses pixels that nobody can use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np

from scopezoo.datasets.paired.pixels import PixelSummary
from scopezoo.errors import IncompatibleImageError
from scopezoo.formats import create_image
from scopezoo.image import Image, arranged

CHUNKS = {"Z": 16, "Y": 256, "X": 256}
"""Small enough that a patch reads little, large enough that files stay few."""
BLOCK_BYTES = 64 << 20
"""About how much is in memory at once."""

Progress = Callable[[int, int], None]
"""Told of bytes done and bytes in all."""


def stored_axes(image: Image) -> str:
    """The axes that are kept: Y and X, and C and Z where there are several."""
    return "".join(axis for axis in "CZYX" if axis in "YX" or image.size(axis) > 1)


def copy_image(image: Image, path: Path, progress: Progress) -> PixelSummary:
    """Write `image` (one frame) to `path`, an OME-Zarr, as it is.

    Memory is bounded by BLOCK_BYTES, or one row of chunks where that is more. Raises
    IncompatibleImageError for pixels that are not finite and for a blank image, FileError where
    `path` cannot be written.
    """
    axes = stored_axes(image)
    shape = tuple(image.size(axis) for axis in axes)
    writer = create_image(
        path, shape=shape, dtype=image.dtype, axes=axes, like=image, chunks=CHUNKS
    )
    summary = PixelSummary(image.dtype)
    done = 0
    for region in copy_regions(axes, shape, image.dtype.itemsize):
        block = image.read(**dict(zip(axes, region, strict=True)), T=slice(0, 1))
        block = arranged(block, tuple(image.axes), tuple(axes))
        summary.add(block)
        writer[region] = block
        done += block.nbytes
        progress(done, image.nbytes)
    problem = summary.problem()
    if problem:
        raise IncompatibleImageError(f"{image.source} {problem}")
    writer.close()
    return summary


def copy_regions(
    axes: str, shape: tuple[int, ...], itemsize: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[slice, ...]]:
    """Regions of whole chunks that cover `shape` once: full rows where they fit, for files that
    are stored in rows."""
    sizes = {axis: min(CHUNKS.get(axis, 1), n) for axis, n in zip(axes, shape, strict=True)}
    room = block_bytes // itemsize
    for axis in "XYZ":
        if axis in sizes:
            pixels = int(np.prod(list(sizes.values()), dtype=np.int64))
            sizes[axis] *= max(1, room // pixels)
    steps = [min(sizes[axis], n) for axis, n in zip(axes, shape, strict=True)]
    starts = product(*(range(0, n, step) for n, step in zip(shape, steps, strict=True)))
    for start in starts:
        yield tuple(
            slice(first, min(first + step, n))
            for first, step, n in zip(start, steps, shape, strict=True)
        )
