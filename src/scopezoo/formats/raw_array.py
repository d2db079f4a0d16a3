"""An array that lies uncompressed in one run of a file, as in NPY and most TIFF.

Not numpy.memmap: mapped pages count as memory of the process, however large the image is, and a
disk that fills or a file that is cut off kills the process (SIGBUS) instead of raising an error.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from io import FileIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = tuple[int, tuple[slice, ...]]
"""Where a run starts, in elements of the array; the part of the block that it holds."""


class RawArray:
    """Array of `shape` and `dtype` (C order, any byte order) from byte `offset` of a file.

    Regions are tuples of slices. Reading raises EOFError where the file is too short.
    """

    def __init__(
        self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.path = path
        self.offset = offset
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        bounds, steps = self._bounds(region)
        block = np.empty([stop - start for start, stop in bounds], self.dtype)
        if block.size:
            with FileIO(self.path, "rb") as file:
                for start, part in runs(self.shape, bounds):
                    self._read(file, start, block[part])
        return block[tuple(slice(None, None, step) for step in steps)]

    def __setitem__(self, region: tuple[slice, ...], block: NDArray[Any], /) -> None:
        bounds, steps = self._bounds(region)
        if any(step != 1 for step in steps):
            raise ValueError("regions that are written have no step")
        sizes = [stop - start for start, stop in bounds]
        values = np.broadcast_to(np.asarray(block, self.dtype), sizes)
        if not values.size:
            return
        with FileIO(self.path, "r+b") as file:
            for start, part in runs(self.shape, bounds):
                self._write(file, start, np.ascontiguousarray(values[part]))

    def _bounds(self, region: tuple[slice, ...]) -> tuple[list[tuple[int, int]], list[int]]:
        parts = region + (slice(None),) * (len(self.shape) - len(region))
        indices = [part.indices(size) for part, size in zip(parts, self.shape, strict=True)]
        bounds = [(start, max(start, stop)) for start, stop, _ in indices]
        return bounds, [step for _, _, step in indices]

    def _read(self, file: FileIO, start: int, target: NDArray[Any]) -> None:
        view = target.reshape(-1).view(np.uint8).data
        file.seek(self.offset + start * self.dtype.itemsize)
        while view:
            count = file.readinto(view)
            if not count:
                raise EOFError("the file ends before its pixels do")
            view = view[count:]

    def _write(self, file: FileIO, start: int, values: NDArray[Any]) -> None:
        view = values.reshape(-1).view(np.uint8).data
        file.seek(self.offset + start * self.dtype.itemsize)
        while view:
            view = view[file.write(view) :]


def runs(shape: tuple[int, ...], bounds: list[tuple[int, int]]) -> Iterator[Run]:
    """The contiguous runs of a region, in the order of the file.

    Trailing axes that the region takes whole belong to one run with the axis before them.
    """
    inner = len(shape) - 1
    while inner > 0 and bounds[inner] == (0, shape[inner]):
        inner -= 1
    inner = max(inner, 0)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    first = sum(bounds[axis][0] * strides[axis] for axis in range(inner, len(shape)))
    for outer in product(*(range(start, stop) for start, stop in bounds[:inner])):
        start = first + sum(index * stride for index, stride in zip(outer, strides, strict=False))
        where = tuple(
            slice(index - low, index - low + 1)
            for index, (low, _) in zip(outer, bounds, strict=False)
        )
        yield start, where


def reserve(path: Path, size_bytes: int) -> None:
    """Make a file `size_bytes` long, zeros at its end.

    The disk space is taken now where the system can do that, so that a disk that is too small
    says so (OSError) before hours of work.
    """
    with path.open("r+b") as file:
        file.truncate(size_bytes)
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(file.fileno(), 0, size_bytes)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
