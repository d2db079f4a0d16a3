"""Sums a walk up: radius, stride and scale per spatial axis."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, lcm

from scopezoo.predict.graph.tensors import Tensor, axis_size, axis_step, fuse
from scopezoo.predict.graph.walk import Step

MAX_STRIDE_PX = 1 << 16


@dataclass(frozen=True)
class OutputFacts:
    """An output: per spatial axis, where it is among the output's axes, and output px per input px.

    Both are None where the output has no such axis or that could not be found out.
    """

    name: str
    space: tuple[int | None, ...]
    scale: tuple[Fraction | None, ...]


@dataclass(frozen=True)
class AxisFacts:
    """One spatial axis of the input.

    An output pixel depends on nothing further than `radius_px` from the input pixels that it covers
    (centred where the output is smaller than its scale says). None is unbounded, because of the
    operators in `unbounded_by`. Tiles must start on multiples of `stride_px`; None is unknown.
    """

    radius_px: int | None
    stride_px: int | None
    unbounded_by: tuple[str, ...] = ()


@dataclass
class Survey:
    """What was seen on the way: strides, and where two image sizes begin to differ."""

    n_spatial: int
    strides: dict[int, int | None] = field(default_factory=dict)
    size_dependent: dict[int, str] = field(default_factory=dict)

    def add(self, step: Step, other: Step) -> None:
        """Take note of one node, walked at two sizes."""
        for name, tensor in step.outputs.items():
            if tensor.is_constant:
                continue
            for k in range(self.n_spatial):
                self.strides[k] = self.common_stride(k, tensor)
                if k not in self.size_dependent and reach(tensor, k) != reach(
                    other.outputs[name], k
                ):
                    self.size_dependent[k] = step.op

    def common_stride(self, k: int, tensor: Tensor) -> int | None:
        """The stride that all tensors so far agree on: their steps' common multiple."""
        stride = self.strides.get(k, 1)
        if tensor.spans[k] is None or stride is None:
            return stride
        if tensor.axes is None:
            return None
        steps = [factor.step[k] for axis in tensor.axes for factor in axis]
        stride = lcm(stride, *(abs(step.numerator) for step in steps if step))
        return stride if stride <= MAX_STRIDE_PX else None

    def output(self, name: str, tensor: Tensor) -> OutputFacts:
        found = [along(tensor, k) for k in range(self.n_spatial)]
        return OutputFacts(
            name,
            tuple(None if entry is None else entry[0] for entry in found),
            tuple(None if entry is None else 1 / entry[1] for entry in found),
        )

    def axis(self, k: int, first: list[Tensor], second: list[Tensor], extent_px: int) -> AxisFacts:
        """Facts of spatial axis `k` from the outputs at both sizes."""
        reasons = {r for t in first if (span := t.spans[k]) for r in span.reasons}
        if any(reach(a, k) != reach(b, k) for a, b in zip(first, second, strict=True)):
            reasons.add(f"{self.size_dependent.get(k)} (depends on the image's size)")
        radii = [output_radius(tensor, k, extent_px) for tensor in first]
        if None in radii and not reasons:
            reasons.add("an output without this axis")
        bounded = [radius for radius in radii if radius is not None]
        radius = None if reasons else max(bounded, default=0)
        return AxisFacts(radius, self.strides.get(k, 1), tuple(sorted(reasons)))


def reach(tensor: Tensor, k: int) -> object:
    """What must be the same for every size of the image."""
    span = tensor.spans[k]
    if span is None or tensor.axes is None:
        return span and "unknown"
    steps = [[factor.step[k] for factor in axis] for axis in tensor.axes]
    return (steps, sorted(span.reasons) or (span.lo, span.hi))


def along(tensor: Tensor, k: int) -> tuple[int, Fraction] | None:
    """The one axis that moves along spatial axis `k`, and its input px per index."""
    axes = tensor.axes or ()
    moving = [p for p, axis in enumerate(axes) if any(factor.step[k] for factor in axis)]
    if len(moving) != 1 or tensor.spans[k] is None:
        return None
    step = axis_step(fuse(tensor, moving[0]).known_axes[moving[0]], k)
    return (moving[0], step) if step > 0 else None


def output_radius(tensor: Tensor, k: int, extent_px: int) -> int | None:
    """How far beyond the pixels that an output index covers the input matters, in px.

    Index o covers [step*o + begin, step*(o+1) + begin), the whole output lying centred on the
    input. None where the output has no axis along `k` though it depends on it.
    """
    span = tensor.spans[k]
    if span is None:
        return 0
    found = along(tensor, k)
    if found is None and extent_px > 1:
        return None
    size, step, hull = 1, Fraction(1), span
    if found is not None:
        fused = fuse(tensor, found[0])
        size, step = axis_size(fused.known_axes[found[0]]), found[1]
        hull = fused.spans[k] or span
    begin = (extent_px - step * size) / 2
    return max(0, ceil(begin - hull.lo), ceil(hull.hi - (step + begin - 1)))
