"""Plans tiles in whole numbers: what each model call reads, and which pixels it writes.

Per axis, an image of `size` is taken as part of a whole of a size that the model accepts (the far
edge is reflected up to it). Windows of one width cover that whole; the first begins at its near
border and the last ends at its far one, so that borders stay borders. All begin on the grid, the
network's stride, and neighbours overlap by at least twice the halo plus what the network's
unpadded convolutions cut off. Every pixel is the core of exactly one window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError


@dataclass(frozen=True)
class AxisRule:
    """What one axis of the model allows, in pixels.

    Sizes are `minimum + n * step`; a step of 0 means exactly `minimum`. `grid` is the network's
    stride (a multiple of step), `halo` a multiple of the grid, and `trim` the pixels that the
    network cuts off at each side.
    """

    minimum: int
    step: int
    grid: int
    halo: int
    trim: int = 0

    def whole(self, size: int) -> int:
        """Smallest size that the model accepts, alone or as overlapping windows, over `size`."""
        wanted = size + 2 * self.trim
        step = self.step or self.grid
        return self.minimum + max(0, math.ceil((wanted - self.minimum) / step)) * step


@dataclass(frozen=True)
class Window:
    """One axis of one tile: the model sees [start, stop), and [core_start, core_stop) is kept.

    Coordinates are of the whole, whose pixel `trim` is the image's first.
    """

    start: int
    stop: int
    core_start: int
    core_stop: int


@dataclass(frozen=True)
class AxisPlan:
    """All windows along an axis, of one width."""

    width: int
    windows: tuple[Window, ...]

    @property
    def computed(self) -> int:
        """Pixels that the model sees, counted as often as it sees them."""
        return self.width * len(self.windows)


def plan_tiles(
    sizes: Sequence[int],
    rules: Sequence[AxisRule],
    max_px: int,
    max_widths: Sequence[int | None] | None = None,
) -> list[AxisPlan]:
    """Windows for an image of `sizes`: the fewest computed pixels with at most `max_px` per tile.

    `max_widths` bounds single axes. Where no tile that the rules allow is as small as `max_px`,
    the smallest is taken. Raises UsageError for a width that the halo or the model forbids.
    """
    bounds = max_widths or [None] * len(sizes)
    options = [
        _options(size, rule, bound) for size, rule, bound in zip(sizes, rules, bounds, strict=True)
    ]
    # as float64, since a product of three widths can be beyond int64
    widths = [np.array([width for width, _ in option], dtype=float) for option in options]
    counts = [np.array([count for _, count in option], dtype=float) for option in options]
    tile_px, tiles = _outer(widths), _outer(counts)
    # a window costs a call, and the bytes at its edges: fewer win among near-equal sums
    cost = tile_px * tiles * (1 + 1e-3 * np.log2(tiles))
    cost[tile_px > max(max_px, tile_px.min())] = np.inf
    best = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return [
        _place(size, rule, *option[i])
        for size, rule, option, i in zip(sizes, rules, options, best, strict=True)
    ]


def tiles(plans: Sequence[AxisPlan]) -> Iterator[tuple[Window, ...]]:
    """All tiles in raster order."""
    return product(*(plan.windows for plan in plans))


def _options(size: int, rule: AxisRule, bound: int | None) -> list[tuple[int, int]]:
    """(width, number) of the windows that can cover the axis: the narrowest for each number."""
    whole = rule.whole(size)
    overlap = 2 * (rule.halo + rule.trim)
    free = range(whole, rule.minimum - 1, -rule.grid)
    widths = list(free) if rule.step else [rule.minimum]
    narrowest: dict[int, int] = {}
    for width in widths:
        if width < whole and width - overlap < rule.grid:
            break
        narrowest[_count(whole, width, overlap, rule.grid)] = width
    if bound is not None:
        fitting = {count: width for count, width in narrowest.items() if width <= bound}
        if not fitting:
            least = min(narrowest.values(), default=rule.minimum)
            raise UsageError(f"a tile of {bound} px is too small for this model: at least {least}")
        narrowest = fitting
    if not narrowest:
        raise UsageError(
            f"the model takes {rule.minimum} px and needs a margin of {overlap // 2} px on each "
            f"side: an axis of {size} px cannot be tiled"
        )
    return [(width, count) for count, width in narrowest.items()]


def _count(whole: int, width: int, overlap: int, grid: int) -> int:
    if width >= whole:
        return 1
    longest_step = (width - overlap) // grid
    return 1 + math.ceil((whole - width) // grid / longest_step)


def _place(size: int, rule: AxisRule, width: int, count: int) -> AxisPlan:
    steps = (rule.whole(size) - width) // rule.grid
    starts = [rule.grid * (steps * i // max(1, count - 1)) for i in range(count)]
    # halfway through each overlap, on the grid so that it is whole in every output's scale
    borders = [
        start + rule.trim + (previous + width - start - 2 * rule.trim) // 2 // rule.grid * rule.grid
        for previous, start in pairwise(starts)
    ]
    edges = [rule.trim, *borders, rule.trim + size]
    return AxisPlan(
        width,
        tuple(
            Window(start, start + width, edges[i], edges[i + 1]) for i, start in enumerate(starts)
        ),
    )


def _outer(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    result = np.ones(())
    for axis_values in values:
        result = np.multiply.outer(result, axis_values)
    return result


def reflected(start: int, stop: int, size: int) -> NDArray[np.int64]:
    """Indices into an axis of `size` for [start, stop), reflected at both ends as often as needed.

    The edge pixel is not repeated, as in numpy's `reflect` mode.
    """
    if size == 1:
        return np.zeros(stop - start, dtype=np.int64)
    period = 2 * (size - 1)
    folded = np.arange(start, stop) % period
    return np.minimum(folded, period - folded)
