"""Which pixels share one statistic, and cutting blocks into small pieces of such groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE_PIXELS = 1 << 16
"""Pixels handled at once: few enough to stay in a processor's second-level cache as float64."""

_AXIS_IDS = {"b": "batch", "t": "time", "i": "index", "c": "channel"}

Region = tuple[slice, ...]
"""One slice per axis of a tensor."""


def axis_id(axis: str) -> str:
    """The id that format 0.5 normalises an axis id to: "c" is "channel", and so on."""
    return _AXIS_IDS.get(axis, axis)


@dataclass(frozen=True)
class Groups:
    """The pixels of a tensor of `shape`, grouped by their place along the axes `kept`.

    Pixels with the same place along `kept` (ascending indices of axes) form one group; the other
    axes are reduced.
    """

    shape: tuple[int, ...]
    kept: tuple[int, ...]

    @classmethod
    def of(
        cls, tensor_axes: Sequence[str], shape: Sequence[int], axes: Collection[str] | None
    ) -> Groups:
        """The groups of a statistic over `axes` (None: all); "batch" is always reduced."""
        ids = [axis_id(axis) for axis in tensor_axes]
        reduced = set(ids) if axes is None else {"batch", *map(axis_id, axes)}
        kept = tuple(i for i, axis in enumerate(ids) if axis not in reduced)
        return cls(tuple(shape), kept)

    @property
    def reduced(self) -> tuple[int, ...]:
        return tuple(i for i in range(len(self.shape)) if i not in self.kept)

    @property
    def kept_shape(self) -> tuple[int, ...]:
        """Sizes of the kept axes; () where all pixels are one group."""
        return tuple(self.shape[i] for i in self.kept)

    @property
    def size(self) -> int:
        """Pixels in each group."""
        return prod(self.shape[i] for i in self.reduced)

    def keepdims(self, values: NDArray[Any]) -> NDArray[Any]:
        """`values` of `kept_shape` with reduced axes of size 1, to broadcast against the tensor."""
        return values.reshape([n if i in self.kept else 1 for i, n in enumerate(self.shape)])

    def pieces(self, region: Region, block: NDArray[Any]) -> Iterator[tuple[Region, NDArray[Any]]]:
        """Cut the pixels of a region into pieces of about `PIECE_PIXELS`.

        Yields the piece's place in an array of `kept_shape` and its pixels as (group, pixel).
        """
        pixels = block.transpose(self.kept + self.reduced)
        starts = [region[i].indices(self.shape[i])[0] for i in self.kept]
        for box in _boxes(pixels.shape, PIECE_PIXELS):
            piece = pixels[box]
            groups = piece.shape[: len(self.kept)]
            place = tuple(
                slice(start + cut.start, start + cut.start + size)
                for start, cut, size in zip(starts, box, groups, strict=False)
            )
            yield place, piece.reshape(prod(groups), -1)


def _boxes(shape: tuple[int, ...], most: int) -> Iterator[Region]:
    """Boxes of at most `most` pixels that cover `shape` in C order; none of an empty shape."""
    if 0 in shape:
        return
    axis = next(i for i in range(len(shape)) if prod(shape[i + 1 :]) <= most)
    step = max(1, most // prod(shape[axis + 1 :]))
    outer = product(*map(range, shape[:axis]))
    rest = tuple(slice(0, n) for n in shape[axis + 1 :])
    for corner, start in product(outer, range(0, shape[axis], step)):
        yield *(slice(i, i + 1) for i in corner), slice(start, start + step), *rest


def is_missing(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where `values` are NaN; None where none is or none can be."""
    if values.dtype.kind != "f":
        return None
    missing = np.isnan(values)
    return missing if missing.any() else None
