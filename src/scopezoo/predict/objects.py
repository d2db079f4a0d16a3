"""The objects of a label image of any size, read in windows that hold many of them whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.image import Image, arranged

WINDOW_PX = 1 << 22
"""Pixels that are looked at together unless said otherwise: 16 MiB of uint32 labels."""


@dataclass(frozen=True)
class Frame:
    """What holds whole objects: one plane (axes YX) or one volume (ZYX) of a label image.

    `position` is where it lies along the label image's other axes of T and Z, from 0.
    """

    image: Image
    axes: str
    position: dict[str, int]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.image.size(axis) for axis in self.axes)

    def region(self, box: tuple[slice, ...]) -> dict[str, slice]:
        """Slices by axis letter of a box of this frame, for this image and those beside it."""
        fixed = {axis: slice(at, at + 1) for axis, at in self.position.items()}
        return fixed | dict(zip(self.axes, box, strict=True))

    def read(self, box: tuple[slice, ...]) -> NDArray[Any]:
        """The labels of a box, in the order of `axes`."""
        return read_as(self.image, self.axes, self.region(box))


@dataclass(frozen=True)
class Window:
    """A part of a frame in which some objects lie whole.

    `numbers` (int32, the frame's axes) is i + 1 where the object `labels[i]` is and 0 elsewhere,
    also on objects that are not among `labels`. `start` is where the window begins in the frame.
    """

    frame: Frame
    start: tuple[int, ...]
    numbers: NDArray[np.int32]
    labels: NDArray[np.int64]

    @property
    def region(self) -> dict[str, slice]:
        """The window's slices by axis letter."""
        ends = zip(self.start, self.numbers.shape, strict=True)
        return self.frame.region(tuple(slice(start, start + size) for start, size in ends))


def frames(labels: Image, ndim: Literal[2, 3]) -> Iterator[Frame]:
    """Planes (`ndim` 2) or volumes (3) of a label image, in the order of T, then Z.

    Raises UsageError where the pixels cannot be labels, or have no Z for `ndim` 3.
    """
    if labels.dtype.kind not in "ui":
        raise UsageError(f"{labels.source} is {labels.dtype}: labels are whole numbers")
    if labels.size("C") > 1:
        raise UsageError(f"{labels.source} has {labels.size('C')} channels: labels have one")
    if ndim == 3 and "Z" not in labels.axes:
        raise UsageError(f"{labels.source} has axes {labels.axes}: objects in 3D need Z")
    stacked = [axis for axis in ("TZ" if ndim == 2 else "T") if axis in labels.axes]
    for at in product(*(range(labels.size(axis)) for axis in stacked)):
        yield Frame(labels, "ZYX"[-ndim:], dict(zip(stacked, at, strict=True)))


def read_as(image: Image, axes: str, region: dict[str, slice]) -> NDArray[Any]:
    """The pixels of a region in the order of `axes`.

    An axis that the image lacks has length 1; one that `axes` lacks must have length 1 there.
    """
    return arranged(image.read(**region), image.axes, axes)


def object_windows(frame: Frame, window_px: int = WINDOW_PX) -> Iterator[Window]:
    """Every object of a frame in exactly one window.

    A window has at most about `window_px` pixels, but for an object whose own box is larger.
    """
    cell = _cell_shape(frame.shape, window_px // 2 ** len(frame.axes))
    labels, boxes = _find_boxes(frame, _cell_shape(frame.shape, window_px))
    for group in _groups(boxes, cell):
        start, stop = boxes[group, 0].min(axis=0), boxes[group, 1].max(axis=0)
        box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        yield Window(
            frame,
            tuple(int(a) for a in start),
            _renumber(frame.read(box), labels[group]),
            labels[group],
        )


def _cell_shape(shape: tuple[int, ...], size_px: int) -> tuple[int, ...]:
    """The shape of nearly cubic blocks of at most `size_px` pixels that tile `shape`."""
    cell = dict.fromkeys(range(len(shape)), 1)
    left = size_px
    for rank, axis in enumerate(sorted(cell, key=lambda i: shape[i])):
        cell[axis] = max(1, min(shape[axis], int(left ** (1 / (len(shape) - rank)))))
        left //= cell[axis]
    return tuple(cell.values())


def _find_boxes(
    frame: Frame, block: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels in rising order, and their boxes: (object, first or past last, axis)."""
    found: dict[int, NDArray[np.int64]] = {}
    grid = (range(0, size, step) for size, step in zip(frame.shape, block, strict=True))
    for start in product(*grid):
        box = tuple(slice(a, a + step) for a, step in zip(start, block, strict=True))
        for label, ends in _boxes_in(frame.read(box)):
            ends += np.asarray(start)
            if label in found:
                np.minimum(found[label][0], ends[0], out=found[label][0])
                np.maximum(found[label][1], ends[1], out=found[label][1])
            else:
                found[label] = ends
    labels = np.array(sorted(found), np.int64)
    boxes = [found[label] for label in labels.tolist()]
    return labels, np.array(boxes, np.int64).reshape(len(labels), 2, len(block))


def _boxes_in(pixels: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    from scipy.ndimage import find_objects

    # find_objects takes memory for each number up to the largest, and labels may be sparse.
    labels = np.unique(pixels)
    labels = labels[labels != 0]
    for label, box in zip(labels.tolist(), find_objects(_renumber(pixels, labels)), strict=True):
        yield label, np.array([[s.start for s in box], [s.stop for s in box]], np.int64)


def _renumber(pixels: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int32]:
    """`labels` become 1, 2, …; all else 0."""
    from skimage.util import map_array

    numbers = np.arange(1, len(labels) + 1, dtype=np.int32)
    found = labels.astype(pixels.dtype)
    renumbered: NDArray[np.int32]
    renumbered = map_array(pixels, found, numbers)  # type: ignore[no-untyped-call]
    return renumbered


def _groups(boxes: NDArray[np.int64], cell: tuple[int, ...]) -> Iterator[NDArray[np.intp]]:
    """Indices of the objects that begin in one cell; one larger than a cell is by itself."""
    large = np.any(boxes[:, 1] - boxes[:, 0] > cell, axis=1)
    alone = np.where(large, np.arange(len(boxes)), -1)
    keys = np.column_stack([boxes[:, 0] // cell, alone])
    order = np.lexsort(keys.T)
    changes = np.flatnonzero(np.any(np.diff(keys[order], axis=0), axis=1)) + 1
    return (group for group in np.split(order, changes) if len(group))
