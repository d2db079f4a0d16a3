"""Mirrored and turned views of what a network sees, for test-time augmentation.

The views are symmetries of a square: mirrored along y and x, and these with y and x exchanged,
which gives the quarter turns. Windows of a tiled run keep their place on the network's stride grid
in all of them, since the whole is a window's width and a number of strides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.predict.geometry import Follows, Geometry, legal_sizes
from scopezoo.predict.sources import axis_letter
from scopezoo.store.description import Description

SAME_PIXEL_SIZE = 0.01
"""Relative difference up to which pixels count as square."""


@dataclass(frozen=True)
class View:
    """`exchanged` (none, or two axes) change places, then the `mirrored` axes are reversed."""

    mirrored: tuple[str, ...] = ()
    exchanged: tuple[str, ...] = ()

    def apply(self, array: NDArray[Any], axes: Sequence[str | None]) -> NDArray[Any]:
        """The view of an array whose axes follow `axes`; it has no more than some of them."""
        return self._mirror(self._exchange(array, axes), axes)

    def undo(self, array: NDArray[Any], axes: Sequence[str | None]) -> NDArray[Any]:
        """What lies in an array of this view, in its own place again."""
        return self._exchange(self._mirror(array, axes), axes)

    def __str__(self) -> str:
        parts = [f"{'-'.join(self.exchanged)} exchanged"] if self.exchanged else []
        parts += [f"{axis} mirrored" for axis in self.mirrored]
        return ", ".join(parts) or "as it is"

    def _mirror(self, array: NDArray[Any], axes: Sequence[str | None]) -> NDArray[Any]:
        return np.flip(array, tuple(axes.index(axis) for axis in self.mirrored if axis in axes))

    def _exchange(self, array: NDArray[Any], axes: Sequence[str | None]) -> NDArray[Any]:
        if not self.exchanged or not set(self.exchanged) <= set(axes):
            return array
        first, second = self.exchanged
        return np.swapaxes(array, axes.index(first), axes.index(second))


AS_IT_IS = View()


def views_of(
    description: Description, geometry: Geometry, pixel_size_um: Mapping[str, float]
) -> tuple[View, ...]:
    """All views that a model's first input can be seen in, as it is first.

    There are eight where y and x have the same sizes, scales and pixel size, else four. A stack is
    never mirrored along z. Raises UsageError where inputs and outputs do not follow the first
    input pixel by pixel.
    """
    first = description.inputs[0]
    plane = [axis.id for axis in first.space if axis_letter(first, axis) in ("Y", "X")]
    if not geometry.tileable(description) or not _symmetric(geometry, plane):
        raise UsageError(
            f"{description.name}: no uncertainty by test-time augmentation: its outputs or further "
            "inputs do not follow the first input pixel by pixel; run it without --uncertainty"
        )
    mirrors = [
        tuple(axis for axis, is_mirrored in zip(plane, chosen, strict=True) if is_mirrored)
        for chosen in product((False, True), repeat=len(plane))
    ]
    exchanges = [(), tuple(plane)] if _is_square(geometry, plane, pixel_size_um) else [()]
    return tuple(View(mirrored, exchanged) for exchanged in exchanges for mirrored in mirrors)


def _symmetric(geometry: Geometry, plane: Sequence[str]) -> bool:
    """Whether outputs lie in the middle of what the network sees, for every size that it takes."""
    for axis in geometry.axes:
        if axis.id not in plane:
            continue
        sizes = [size for size in legal_sizes(axis) if size]
        for f in _following(geometry, axis.id):
            whole = all((size * f.scale).denominator == 1 for size in sizes)
            if not whole or (f.trim * f.scale).denominator != 1:
                return False
    return True


def _is_square(
    geometry: Geometry, plane: Sequence[str], pixel_size_um: Mapping[str, float]
) -> bool:
    if len(plane) != 2:
        return False
    y, x = (next(axis for axis in geometry.axes if axis.id == name) for name in plane)
    height, width = pixel_size_um.get("Y", 1.0), pixel_size_um.get("X", 1.0)
    return (
        legal_sizes(y) == legal_sizes(x)
        and (y.scale, y.unit) == (x.scale, x.unit)
        and abs(height - width) <= SAME_PIXEL_SIZE * max(height, width)
        and all(
            _rules(output, y.id) == _rules(output, x.id) for output in geometry.outputs.values()
        )
    )


def _rules(output: Sequence[Follows | None], axis: str) -> list[tuple[Fraction, int]]:
    return [(f.scale, f.offset) for f in output if f is not None and f.axis == axis]


def _following(geometry: Geometry, axis: str) -> list[Follows]:
    return [
        f
        for output in geometry.outputs.values()
        for f in output
        if f is not None and f.axis == axis
    ]
