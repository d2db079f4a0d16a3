"""The halo that a network needs, measured.

A window of random pixels is run whole and run with one side cut off. An output pixel at distance d
from the cut differs between the two by what a tile with halo d would get wrong, so that one pair of
runs gives the error of every halo at once. A network of one fixed size is run on two shifted
windows of a larger image instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.predict.cuts import Cut, SpaceAxis, plan_cuts, total_px, up_to_multiple
from scopezoo.predict.probes import PROBES, TensorLayout, make_probe

__all__ = ["TOLERANCE", "AxisHalo", "HaloReport", "SpaceAxis", "TensorLayout", "measure_halo"]

Run = Callable[[list[NDArray[Any]]], list[NDArray[Any]]]
"""The raw network: arrays in the order and layout of its inputs to arrays of its outputs."""

TOLERANCE = 1e-5
"""Absolute for outputs up to 10; beyond, relative to a tenth of their largest magnitude."""
MAX_PX = 3 << 19
"""Input pixels that all runs together may cost: about two seconds of a small U-Net on one core."""
MIN_PROBES = 2
"""Rather than fewer kinds of probes, smaller halos are tried."""


@dataclass(frozen=True)
class AxisHalo:
    """What was found along one axis.

    `needed_px` is the smallest multiple of `grid_px` at which the error is within the tolerance;
    None if no tested halo was enough, and then tiles cannot be exact. `error_at` has the largest
    error by halo in px. Where the windows were too small to test the receptive radius, `needed_px`
    is the radius rounded up to the grid. Of an unbounded radius only the smaller half of the tested
    halos counts: an error that fades slowly with the size of the window would not end there.
    """

    grid_px: int
    radius_px: int | None
    unbounded_by: tuple[str, ...]
    needed_px: int | None
    error_at: Mapping[int, float]


@dataclass(frozen=True)
class HaloReport:
    """Axes by id, and how they were measured."""

    axes: Mapping[str, AxisHalo]
    n_probes: int
    tolerance: float = TOLERANCE

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`; halos become strings there."""
        plain = asdict(self)
        for axis in plain["axes"].values():
            axis["unbounded_by"] = list(axis["unbounded_by"])
            axis["error_at"] = {str(halo): error for halo, error in axis["error_at"].items()}
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> HaloReport:
        """The report that `to_json` wrote."""
        axes = {}
        for axis_id, axis in plain["axes"].items():
            errors = {int(halo): float(error) for halo, error in axis["error_at"].items()}
            known = {**axis, "unbounded_by": tuple(axis["unbounded_by"]), "error_at": errors}
            axes[axis_id] = AxisHalo(**known)
        return cls(axes, int(plain["n_probes"]), float(plain["tolerance"]))


@dataclass
class Differences:
    """Absolute differences along one axis, each with its distance to the nearest cut in px."""

    distances: list[NDArray[np.float64]] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)
    margin_px: int = 0

    def error(self, halo_px: int) -> float:
        pairs = zip(self.distances, self.values, strict=True)
        return max((float(v[d >= halo_px].max(initial=0.0)) for d, v in pairs), default=0.0)

    @property
    def tested_px(self) -> int:
        return int(min((d.max(initial=0.0) for d in self.distances), default=0.0))


def measure_halo(
    run: Run,
    inputs: Sequence[TensorLayout],
    outputs: Sequence[TensorLayout],
    space: Sequence[SpaceAxis],
    *,
    test_inputs: Sequence[NDArray[Any]] | None = None,
    max_px: int = MAX_PX,
    seed: int = 0,
) -> HaloReport:
    """Measure the halo that each axis of `space` needs.

    `run` is the raw network. `test_inputs`, one per input in its layout, are a further probe and
    set mean and standard deviation of the random ones. `max_px` bounds the input pixels of all
    runs: first the number of probes, then the tested halos become smaller.

    Raises PackageError where an output's size does not follow the input's.
    """
    cuts = plan_cuts(space, [*inputs, *outputs], max_px // MIN_PROBES)
    extent_px = {axis.id: max((c.extent[axis.id] for c in cuts), default=0) for axis in space}
    kinds = [kind for kind in PROBES if kind != "test input" or test_inputs is not None]
    kinds = kinds[: max(MIN_PROBES, max_px // max(total_px(cuts), 1))] if cuts else []
    found = {axis.id: Differences() for axis in space}
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng([seed, number])
        probe = make_probe(kind, inputs, extent_px, rng, test_inputs)
        results = Results(run, inputs, probe)
        for cut in cuts:
            pairs = zip(outputs, *(results.of(cut.region(i)) for i in (0, 1)), strict=True)
            for layout, first, second in pairs:
                if cut.axis.id in layout.axes:
                    compare(found[cut.axis.id], cut, layout, first, second)
    axes = {axis.id: judge(axis, found[axis.id]) for axis in space}
    return HaloReport(axes, len(kinds))


@dataclass
class Results:
    """Outputs for windows of one probe; what several cuts share is run once."""

    run: Run
    inputs: Sequence[TensorLayout]
    probe: Sequence[NDArray[Any]]
    known: dict[tuple[tuple[str, tuple[int, int]], ...], list[NDArray[Any]]] = field(
        default_factory=dict
    )

    def of(self, region: Mapping[str, tuple[int, int]]) -> list[NDArray[Any]]:
        key = tuple(region.items())
        if key not in self.known:
            windows = [
                np.ascontiguousarray(array[layout.index(region)])
                for array, layout in zip(self.probe, self.inputs, strict=True)
            ]
            self.known[key] = self.run(windows)
        return self.known[key]


def judge(axis: SpaceAxis, differences: Differences) -> AxisHalo:
    """Errors at all multiples of the grid that were tested, and the first that is small enough."""
    bound = axis.bound_px
    last = differences.tested_px if bound is None else min(bound, differences.tested_px)
    first = up_to_multiple(differences.margin_px, axis.grid_px)
    errors = {h: differences.error(h) for h in range(first, last + 1, axis.grid_px)}
    needed = next((h for h, error in errors.items() if error <= TOLERANCE), None)
    if bound is None and needed is not None and 2 * needed > last:
        needed = None
    if needed is None and bound is not None and bound > last:
        needed = bound
    return AxisHalo(axis.grid_px, axis.radius_px, axis.unbounded_by, needed, errors)


def compare(
    differences: Differences,
    cut: Cut,
    layout: TensorLayout,
    first: NDArray[Any],
    second: NDArray[Any],
) -> None:
    """Add the differences of one output over the part that both windows show."""
    position = layout.axes.index(cut.axis.id)
    scale = layout.scale_of(cut.axis.id)
    arrays = [np.moveaxis(array, position, 0).astype(np.float64) for array in (first, second)]
    starts = [start for start, _ in cut.windows]
    ends = [start + size for start, size in cut.windows]
    # An output smaller than its scale says lies centred on its input.
    margins = [
        (size - Fraction(len(array)) / scale) / 2
        for (_, size), array in zip(cut.windows, arrays, strict=True)
    ]
    shift = (starts[1] - starts[0]) * scale
    overlap = range(ceil(shift), min(len(arrays[0]), len(arrays[1]) + ceil(shift)))
    follows = margins[0] == margins[1] and shift.denominator == 1
    if not follows or not overlap or arrays[0].shape[1:] != arrays[1].shape[1:]:
        raise PackageError(
            f"outputs of {first.shape} and {second.shape} for inputs of {cut.windows[0][1]} and "
            f"{cut.windows[1][1]} px along {cut.axis.id}: expected {scale} output px per input px; "
            "correct the output's size in the package's description"
        )
    a = arrays[0][overlap.start : overlap.stop]
    b = arrays[1][overlap.start - int(shift) : overlap.stop - int(shift)]
    begin = starts[0] + float(margins[0]) + np.array(overlap) / float(scale)
    near = begin - max(starts) if starts[0] != starts[1] else np.full(len(a), np.inf)
    end = begin + 1 / float(scale)
    far = min(ends) - end if ends[0] != ends[1] else np.full(len(a), np.inf)
    differences.distances.append(np.minimum(near, far))
    differences.values.append(largest_difference(a, b))
    differences.margin_px = max(differences.margin_px, ceil(max(margins)))


def largest_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per index of the first axis; of outputs beyond 10, in tenths of the largest magnitude.

    What is no number in both is no difference; in one of them it is as large as can be.
    """
    unit = max(1.0, float(np.nan_to_num(np.abs(a), nan=0.0, posinf=0.0).max(initial=0.0)) / 10)
    with np.errstate(invalid="ignore"):
        difference = np.where(a == b, 0.0, np.abs(a - b) / unit)
    difference[np.isnan(a) & np.isnan(b)] = 0.0
    huge = float(np.finfo(np.float32).max)
    finite = np.nan_to_num(difference, nan=huge, posinf=huge)
    return np.asarray(finite.reshape(len(finite), -1).max(axis=1, initial=0.0))
