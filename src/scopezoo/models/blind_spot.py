"""The blind spots of Noise2Void: pixels whose values the network predicts without seeing them.

Krull, Buchholz and Jug, CVPR 2019, doi:10.1109/CVPR.2019.00223.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH_PX = 2
"""A hidden pixel gets the value of one of its neighbours in its plane, up to here in y and x."""


def with_blind_spots(
    stack: NDArray[np.float32], margin: int, spacing_px: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The stack ZYX with some values replaced, and where, without `margin` planes at both ends.

    One pixel of each square of `spacing_px` is hidden, in the planes that are predicted and in
    their copies, which lie beyond the first and last plane of an image. What replaces it is another
    pixel of the stack as it was, so its own value is nowhere in the input but by chance.
    """
    planes = range(margin, len(stack) - margin)
    hidden = np.zeros((len(planes), *stack.shape[1:]), dtype=np.bool_)
    changed = stack.copy()
    for number, z in enumerate(planes):
        y, x = _one_in_each_square(stack.shape[1], stack.shape[2], spacing_px, rng)
        near_y, near_x = _neighbours(y, x, stack.shape[1], stack.shape[2], rng)
        for copy in _same_planes(stack, z):
            changed[copy, y, x] = stack[z, near_y, near_x]
        hidden[number, y, x] = True
    return changed, hidden


def _same_planes(stack: NDArray[np.float32], z: int) -> list[int]:
    """The plane itself and those beside it that are copies of it."""
    return [other for other in range(len(stack)) if np.array_equal(stack[other], stack[z])]


def _one_in_each_square(
    height: int, width: int, spacing_px: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.mgrid[0:height:spacing_px, 0:width:spacing_px].reshape(2, -1)
    y = rows + rng.integers(spacing_px, size=rows.size)
    x = columns + rng.integers(spacing_px, size=columns.size)
    inside = (y < height) & (x < width)
    return y[inside], x[inside]


def _neighbours(
    y: NDArray[np.intp], x: NDArray[np.intp], height: int, width: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A pixel near each, never itself: at a border the step goes inwards."""
    side = 2 * REACH_PX + 1
    step = rng.integers(side * side - 1, size=y.size)
    step += step >= side * side // 2
    down, right = step // side - REACH_PX, step % side - REACH_PX
    down = np.where((y + down < 0) | (y + down >= height), -down, down)
    right = np.where((x + right < 0) | (x + right >= width), -right, right)
    return y + down, x + right
