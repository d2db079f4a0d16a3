"""An image at another pixel size, computed where it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.image import Image, LazyArray


class Rescaled:
    """A lazy view of `array` on a grid of `shape`, which spans the same field.

    Pixel centres are where skimage.transform.resize puts them: output pixel o lies at
    (o + 0.5) * input / output - 0.5. `order` 1 interpolates linearly, after a Gaussian of
    sigma (input / output - 1) / 2 along axes that shrink (as resize does with anti_aliasing),
    mirrored at the borders, and gives float32 (float64 for float64); `order` 0 takes the nearest
    pixel and keeps the type: for labels. Memory is that of the region and what it is made from.
    """

    def __init__(self, array: LazyArray, shape: tuple[int, ...], order: Literal[0, 1]) -> None:
        """Raises UsageError unless `shape` has an axis for each of the array's, none empty."""
        if len(shape) != len(array.shape) or 0 in shape or 0 in array.shape:
            raise UsageError(f"an image of shape {array.shape} cannot be rescaled to {shape}")
        self._array = array
        self._order = order
        self.shape = tuple(shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype = np.dtype(self._array.dtype)
        return dtype if self._order == 0 or dtype == np.float64 else np.dtype(np.float32)

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        """The pixels of a region: one slice per axis."""
        wanted = [np.arange(size)[part] for size, part in zip(self.shape, region, strict=True)]
        if any(len(along) == 0 for along in wanted):
            return np.empty([len(along) for along in wanted], self.dtype)
        return self._nearest(wanted) if self._order == 0 else self._linear(wanted)

    def _nearest(self, wanted: list[NDArray[np.intp]]) -> NDArray[Any]:
        sizes = zip(self._array.shape, self.shape, wanted, strict=True)
        sources = [(2 * along + 1) * inputs // (2 * outputs) for inputs, outputs, along in sizes]
        pixels = self._read([(int(along.min()), int(along.max()) + 1) for along in sources])
        return pixels[np.ix_(*(along - along.min() for along in sources))]

    def _linear(self, wanted: list[NDArray[np.intp]]) -> NDArray[Any]:
        sizes = zip(self._array.shape, self.shape, wanted, strict=True)
        taps = [_Taps.along(*size) for size in sizes]
        pixels = self._read([(tap.start, tap.stop) for tap in taps]).astype(self.dtype, copy=False)
        for axis, tap in enumerate(taps):
            pixels = tap.apply(pixels, axis)
        return pixels

    def _read(self, box: list[tuple[int, int]]) -> NDArray[Any]:
        return np.asarray(self._array[tuple(slice(start, stop) for start, stop in box)])


@dataclass(frozen=True)
class _Taps:
    """What linear interpolation along one axis takes from input pixels [start, stop).

    `columns` and `weights` have a row for each wanted output pixel.
    """

    start: int
    stop: int
    columns: NDArray[np.intp]
    weights: NDArray[np.float64]

    @classmethod
    def along(cls, inputs: int, outputs: int, wanted: NDArray[np.intp]) -> _Taps:
        ratio = inputs / outputs
        centres = (wanted + 0.5) * ratio - 0.5
        left = np.floor(centres).astype(np.intp)
        right_share = (centres - left)[:, None]
        kernel = _gaussian(max(0.0, (ratio - 1) / 2))
        weights = np.pad((1 - right_share) * kernel, ((0, 0), (0, 1)))
        weights[:, 1:] += right_share * kernel
        reach = len(kernel) // 2
        columns = _mirror(left[:, None] + np.arange(-reach, reach + 2), inputs)
        return cls(int(columns.min()), int(columns.max()) + 1, columns, weights)

    def apply(self, pixels: NDArray[Any], axis: int) -> NDArray[Any]:
        from scipy.sparse import csr_array

        rows = np.repeat(np.arange(len(self.columns)), self.columns.shape[1])
        columns = (self.columns - self.start).ravel()
        shape = (len(self.columns), self.stop - self.start)
        matrix = csr_array((self.weights.ravel().astype(pixels.dtype), (rows, columns)), shape)
        moved = np.moveaxis(pixels, axis, 0)
        summed = matrix @ moved.reshape(len(moved), -1)
        return np.moveaxis(summed.reshape(-1, *moved.shape[1:]), 0, axis)


def _gaussian(sigma: float) -> NDArray[np.float64]:
    """The kernel of scipy.ndimage.gaussian_filter, cut at 4 sigma."""
    reach = int(4 * sigma + 0.5)
    if reach == 0:
        return np.ones(1)
    kernel: NDArray[np.float64] = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    return kernel


def _mirror(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Indices beyond the border, folded back about the centre of the border pixel."""
    period = max(1, 2 * (size - 1))
    folded = np.abs(index) % period
    return np.minimum(folded, period - folded) if size > 1 else np.zeros_like(index)


def rescaled_image(image: Image, factors: Mapping[str, float], order: Literal[0, 1] = 1) -> Image:
    """The same field with `factors` times as many pixels along Z, Y or X, rounded.

    The pixel size becomes what makes the field exactly as large as before. Back on the first grid:
    `resized_image` with its sizes. Raises UsageError for another axis or a factor that is not
    above 0.
    """
    wrong = {axis: by for axis, by in factors.items() if not (isfinite(by) and by > 0)}
    if wrong:
        raise UsageError(f"cannot rescale by {wrong}: expected factors above 0")
    sizes = {axis: max(1, round(image.size(axis) * by)) for axis, by in factors.items()}
    return resized_image(image, sizes, order)


def resized_image(image: Image, sizes: Mapping[str, int], order: Literal[0, 1] = 1) -> Image:
    """The same field with exactly `sizes` pixels along Z, Y or X, and the pixel size of that.

    Raises UsageError for an axis that the image does not have or that is not of space.
    """
    wrong = [axis for axis in sizes if axis not in image.axes or axis not in "ZYX"]
    if wrong:
        raise UsageError(f"cannot rescale {image.source} ({image.axes}) along {', '.join(wrong)}")
    shape = tuple(sizes.get(axis, image.size(axis)) for axis in image.axes)
    pixel_size_um = {
        axis: size_um * image.size(axis) / sizes.get(axis, image.size(axis))
        for axis, size_um in image.pixel_size_um.items()
    }
    return replace(image, data=Rescaled(image.data, shape, order), pixel_size_um=pixel_size_um)
