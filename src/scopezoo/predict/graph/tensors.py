"""What one tensor of a graph says about the input pixels that it depends on.

An index of a tensor depends, along each spatial axis of the input, on an interval of input
indices that is affine in the tensor's own index: `[sum(step * index) + lo, same + hi]`. The sum
runs over the factors of the tensor's axes: an axis that a Reshape merged keeps its parts, so that
a later Reshape takes them apart again without loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

MAX_RANK = 16
MAX_REASONS = 8
MAX_RATIO = 1 << 20
"""Steps beyond this, as numerator or denominator, are no tiling that anyone could use."""


class UnknownError(Exception):
    """This node cannot be followed; its text names what is in the way."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Part of an axis: its size, and the input pixels per index along each spatial axis."""

    size: int
    step: tuple[Fraction, ...]


Axis: TypeAlias = tuple[Factor, ...]
"""Factors from slow to fast; none for an axis of size 1."""


@dataclass(frozen=True, slots=True)
class Span:
    """Reach along one spatial axis in input pixels; unbounded, and why, where `reasons` has any."""

    lo: Fraction
    hi: Fraction
    reasons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tensor:
    """One value of the graph at the reference size.

    `axes` is None where the shape is not known. `spans` has an entry per spatial axis of the
    input, None where the tensor does not depend on the pixels. `value` is kept for small constants,
    which are mostly shapes, scales and paddings.
    """

    axes: tuple[Axis, ...] | None
    spans: tuple[Span | None, ...]
    value: NDArray[np.generic] | None = None
    item_bytes: int = 4

    @property
    def known_axes(self) -> tuple[Axis, ...]:
        if self.axes is None:
            raise UnknownError("a tensor of unknown shape")
        return self.axes

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis_size(axis) for axis in self.known_axes)

    @property
    def rank(self) -> int:
        return len(self.known_axes)

    @property
    def is_constant(self) -> bool:
        return all(span is None for span in self.spans)

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.item_bytes


def axis_size(axis: Axis) -> int:
    return prod(factor.size for factor in axis)


def axis_step(axis: Axis, spatial: int) -> Fraction:
    """Input pixels per index of a fused axis; 0 where it has one index."""
    return axis[0].step[spatial] if axis else Fraction(0)


def plain_axis(size: int, n_spatial: int) -> Axis:
    """An axis along which no input pixel moves, such as channels."""
    if size < 0:
        raise UnknownError(f"an axis of size {size}")
    return () if size == 1 else (Factor(size, (Fraction(0),) * n_spatial),)


def constant(shape: Sequence[int], n_spatial: int, item_bytes: int = 4) -> Tensor:
    """A tensor that depends on no pixel."""
    if len(shape) > MAX_RANK:
        raise UnknownError(f"a tensor of {len(shape)} axes")
    axes = tuple(plain_axis(int(size), n_spatial) for size in shape)
    return Tensor(axes, (None,) * n_spatial, item_bytes=item_bytes)


def constant_value(value: NDArray[np.generic], n_spatial: int) -> Tensor:
    """A small constant whose value is kept."""
    return replace(constant(value.shape, n_spatial, value.dtype.itemsize), value=value)


def unknown(inputs: Sequence[Tensor | None], reason: str, n_spatial: int) -> Tensor:
    """The result of something that cannot be followed: all pixels of what went in may matter."""
    spans = join_spans([t.spans for t in inputs if t is not None], n_spatial)
    return Tensor(None, tuple(unbounded(span, reason) for span in spans))


def unbounded(span: Span | None, reason: str) -> Span | None:
    return None if span is None else replace(span, reasons=few(span.reasons | {reason}))


def few(reasons: frozenset[str]) -> frozenset[str]:
    """No more reasons than anyone reads: they go through every later tensor."""
    return reasons if len(reasons) <= MAX_REASONS else frozenset(sorted(reasons)[:MAX_REASONS])


def widen(span: Span, by: Fraction) -> Span:
    """The reach when it may move by anything from 0 to `by`."""
    none = Fraction(0)
    return replace(span, lo=span.lo + min(by, none), hi=span.hi + max(by, none))


def join_spans(spans: Sequence[tuple[Span | None, ...]], n_spatial: int) -> tuple[Span | None, ...]:
    """The hull of several reaches that are counted from the same index."""
    joined: list[Span | None] = []
    for k in range(n_spatial):
        found = [span for entry in spans if (span := entry[k]) is not None]
        reasons = few(frozenset[str]().union(*(span.reasons for span in found)))
        hull = Span(min(s.lo for s in found), max(s.hi for s in found), reasons) if found else None
        joined.append(hull)
    return tuple(joined)


def check_ratio(value: Fraction) -> Fraction:
    if abs(value.numerator) > MAX_RATIO or value.denominator > MAX_RATIO:
        raise UnknownError(f"a scale of {float(value):g}")
    return value


def fuse(tensor: Tensor, position: int) -> Tensor:
    """The same tensor with axis `position` as one factor, whose reach covers that of all parts.

    Two factors (n1, s1) and (n2, s2) become one with step s1/n2: with o = n2*i + j the sum
    s1*i + s2*j is s2*o + (s1 - n2*s2)*i, and i lies in [o/n2 - (n2-1)/n2, o/n2].
    """
    axes = list(tensor.known_axes)
    spans = list(tensor.spans)
    factors = list(axes[position])
    while len(factors) > 1:
        fast, slow = factors.pop(), factors.pop()
        steps = []
        for k, span in enumerate(spans):
            jump = slow.step[k] - fast.size * fast.step[k]
            shift = -jump * Fraction(fast.size - 1, fast.size)
            spans[k] = span and widen(span, shift)
            steps.append(check_ratio(slow.step[k] / fast.size))
        factors.append(Factor(slow.size * fast.size, tuple(steps)))
    axes[position] = tuple(factors)
    return replace(tensor, axes=tuple(axes), spans=tuple(spans), value=None)


def window(
    tensor: Tensor, position: int, size: int, stride: Fraction, lo: Fraction, hi: Fraction
) -> Tensor:
    """Axis `position` becomes `size` long; index o sees old indices [stride*o+lo, stride*o+hi]."""
    tensor = fuse(tensor, position)
    axis = tensor.known_axes[position]
    steps, spans = [], []
    for k, span in enumerate(tensor.spans):
        step = axis_step(axis, k)
        ends = (step * lo, step * hi)
        moved = span and replace(span, lo=span.lo + min(ends), hi=span.hi + max(ends))
        spans.append(moved)
        steps.append(check_ratio(step * stride))
    if size < 0:
        raise UnknownError(f"an axis of size {size}")
    axes = list(tensor.known_axes)
    axes[position] = () if size == 1 else (Factor(size, tuple(steps)),)
    return replace(tensor, axes=tuple(axes), spans=tuple(spans), value=None)


def mix(tensor: Tensor, position: int, size: int, reason: str, extent: Sequence[int]) -> Tensor:
    """Axis `position` becomes `size` long, and every index of it sees the whole old axis.

    `extent` holds the input's reference size along each spatial axis: where the axis covers half of
    that or more, the reach is unbounded with `reason`; a short one only widens it.
    """
    axes = list(tensor.known_axes)
    spans = list(tensor.spans)
    for factor in axes[position]:
        for k, (span, step) in enumerate(zip(spans, factor.step, strict=True)):
            reach = step * (factor.size - 1)
            if span is None or not step:
                continue
            spans[k] = widen(span, reach)
            if 2 * abs(step) * factor.size >= extent[k]:
                spans[k] = unbounded(span, reason)
    axes[position] = plain_axis(size, len(spans))
    return replace(tensor, axes=tuple(axes), spans=tuple(spans), value=None)


def spread(tensor: Tensor, position: int, reason: str, extent: Sequence[int]) -> Tensor:
    """Every index along axis `position` sees all of that axis, and the axis stays what it is."""
    mixed = mix(tensor, position, 1, reason, extent)
    spans = []
    for k, span in enumerate(mixed.spans):
        reach = sum((f.step[k] * (f.size - 1) for f in tensor.known_axes[position]), Fraction(0))
        wide = span and replace(span, lo=span.lo - abs(reach), hi=span.hi + abs(reach))
        spans.append(wide)
    return replace(mixed, axes=tensor.axes, spans=tuple(spans))


def lose(tensor: Tensor, position: int, reason: str) -> Tensor:
    """The reach along what axis `position` follows is unbounded."""
    steps = [factor.step for factor in tensor.known_axes[position]]
    spans = [
        unbounded(span, reason) if any(step[k] for step in steps) else span
        for k, span in enumerate(tensor.spans)
    ]
    return replace(tensor, spans=tuple(spans))


def drop_axis(tensor: Tensor, position: int) -> Tensor:
    axes = list(tensor.known_axes)
    del axes[position]
    return replace(tensor, axes=tuple(axes), value=None)
