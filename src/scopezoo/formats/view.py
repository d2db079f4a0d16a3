"""A lazy array as an image shows it: fewer or reordered axes, native numbers, clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.formats.limits import pixel_dtype, reading
from scopezoo.image import LazyArray


class View:
    """Some axes of `pixels`, in any order, read when sliced.

    `axes` are the indices of the axes shown; of an axis that is not shown, the first element is.
    `sizes` shortens axes of `pixels`, by index (RGB of RGBA). Slicing raises ImageError, with
    `source` in its message, for whatever goes wrong.
    """

    def __init__(
        self,
        pixels: LazyArray,
        axes: tuple[int, ...],
        source: str,
        sizes: Mapping[int, int] | None = None,
    ) -> None:
        shape = tuple((sizes or {}).get(i, size) for i, size in enumerate(pixels.shape))
        self._pixels = pixels
        self._axes = axes
        self._source = source
        self.shape: tuple[int, ...] = tuple(int(shape[axis]) for axis in axes)
        self.dtype: np.dtype[Any] = pixel_dtype(source, np.dtype(pixels.dtype))

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Sizes of the pieces that are read at once; None where the pixels lie in one run."""
        chunks = getattr(self._pixels, "chunks", None)
        return None if chunks is None else tuple(chunks[axis] for axis in self._axes)

    def __getitem__(self, region: tuple[slice, ...] | slice, /) -> NDArray[Any]:
        parts = region if isinstance(region, tuple) else (region,)
        parts += (slice(None),) * (len(self.shape) - len(parts))
        wanted = [slice(0, 1)] * len(self._pixels.shape)
        for axis, size, part in zip(self._axes, self.shape, parts, strict=True):
            wanted[axis] = slice(*part.indices(size))
        with reading(self._source):
            block = np.asarray(self._pixels[tuple(wanted)])
        hidden = tuple(axis for axis in range(block.ndim) if axis not in self._axes)
        shown = block.transpose(self._axes + hidden).reshape(
            tuple(block.shape[axis] for axis in self._axes)
        )
        return shown.astype(self.dtype, copy=False)
