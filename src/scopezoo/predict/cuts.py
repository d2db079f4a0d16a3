"""Which windows to run a network on, to see what cutting one side off does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm, prod

from scopezoo.predict.probes import TensorLayout

UNBOUNDED_TEST_PX = 128
"""Halos up to this are tried where the receptive radius is not known."""
OTHER_AXES_PX = 48
"""Windows need not be larger than this, or the radius, along the axes that are not cut."""


@dataclass(frozen=True)
class SpaceAxis:
    """One axis of space of the inputs, in px of the reference input.

    Legal sizes are `min_px + n * step_px`; with step 0 only `min_px`. Tiles start on multiples of
    `grid_px`. `radius_px` is the receptive radius of the graph, None if it has no bound or is not
    known, which `unbounded_by` explains.
    """

    id: str
    min_px: int
    step_px: int
    grid_px: int = 1
    radius_px: int | None = None
    unbounded_by: tuple[str, ...] = ()

    @property
    def bound_px(self) -> int | None:
        """The radius rounded up to the grid: no halo needs to be larger."""
        return None if self.radius_px is None else up_to_multiple(self.radius_px, self.grid_px)

    def legal_px(self, wanted_px: int) -> int:
        """The smallest legal size from `wanted_px` on."""
        if not self.step_px:
            return self.min_px
        return self.min_px + up_to_multiple(max(wanted_px - self.min_px, 0), self.step_px)


@dataclass(frozen=True)
class Cut:
    """Two windows along `axis`, as (start, size) in px.

    `extent` is what a probe must show along every axis of space.
    """

    axis: SpaceAxis
    windows: tuple[tuple[int, int], tuple[int, int]]
    extent: Mapping[str, int]

    def region(self, number: int) -> dict[str, tuple[int, int]]:
        """Start and size of a window along every axis of space."""
        whole = {axis_id: (0, size) for axis_id, size in self.extent.items()}
        return {**whole, self.axis.id: self.windows[number]}


def plan_cuts(
    space: Sequence[SpaceAxis], tensors: Sequence[TensorLayout], max_px: int
) -> list[Cut]:
    """Near and far cut along each axis, with smaller halos to test until `max_px` allows them."""
    reach_px = {
        axis.id: UNBOUNDED_TEST_PX if axis.bound_px is None else axis.bound_px for axis in space
    }
    while True:
        cuts = [cut for axis in space for cut in cut_axis(axis, space, tensors, reach_px)]
        if total_px(cuts) <= max_px or max(reach_px.values(), default=0) <= 8:
            return cuts
        reach_px = {axis_id: max(reach // 2, 8) for axis_id, reach in reach_px.items()}


def cut_axis(
    axis: SpaceAxis,
    space: Sequence[SpaceAxis],
    tensors: Sequence[TensorLayout],
    reach_px: Mapping[str, int],
) -> list[Cut]:
    """The pairs of windows that show every halo up to `reach_px` along one axis."""
    scales = [tensor.scale_of(axis.id).denominator for tensor in tensors]
    unit = lcm(axis.grid_px, axis.step_px or 1, *scales)
    extent = {other.id: other.legal_px(min(reach_px[other.id], OTHER_AXES_PX)) for other in space}
    reach = reach_px[axis.id]
    if not axis.step_px:
        shift = up_to_multiple(min(reach, axis.min_px // 4), unit)
        size = axis.min_px
        extent[axis.id] = size + shift
        return [Cut(axis, ((0, size), (shift, size)), extent)] if 0 < shift < size else []
    small = axis.legal_px(reach + axis.grid_px)
    cut_off = up_to_multiple(max(reach, 1), unit)
    large = small + cut_off
    extent[axis.id] = large
    near = Cut(axis, ((0, large), (cut_off, small)), extent)
    far = Cut(axis, ((0, large), (0, small)), extent)
    return [near, far]


def total_px(cuts: Sequence[Cut]) -> int:
    """Input pixels of all windows that one probe is run on."""
    regions = {tuple(cut.region(number).items()) for cut in cuts for number in (0, 1)}
    return sum(prod(size for _, (_, size) in region) for region in regions)


def up_to_multiple(value: int, unit: int) -> int:
    return -(-value // unit) * unit
