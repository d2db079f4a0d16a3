"""Tensors put together: elementwise with broadcasting, and by reshaping."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

from scopezoo.predict.graph.tensors import (
    MAX_RANK,
    Axis,
    Factor,
    Tensor,
    UnknownError,
    axis_size,
    check_ratio,
    fuse,
    join_spans,
    unbounded,
)


def merge_factors(factors: Sequence[Factor]) -> Axis:
    """Neighbours that count on without a jump become one factor."""
    merged: list[Factor] = []
    for factor in factors:
        previous = merged[-1] if merged else None
        if previous is not None and previous.step == tuple(s * factor.size for s in factor.step):
            merged[-1] = Factor(previous.size * factor.size, factor.step)
        else:
            merged.append(factor)
    return tuple(merged)


def reshape(tensor: Tensor, target: Sequence[int]) -> Tensor:
    """Axes taken apart and put together again, in order; `target` has no 0 and no -1."""
    if len(target) > MAX_RANK:
        raise UnknownError(f"a tensor of {len(target)} axes")
    if prod(target) != prod(tensor.shape) or not prod(target):
        raise UnknownError(f"Reshape of {tensor.shape} to {tuple(target)}")
    left = deque(factor for axis in tensor.known_axes for factor in axis)
    axes = []
    for size in target:
        taken: list[Factor] = []
        while size > 1:
            factor = left.popleft()
            if factor.size > size and factor.size % size == 0:
                rest = factor.size // size
                left.appendleft(Factor(rest, factor.step))
                factor = Factor(size, tuple(check_ratio(s * rest) for s in factor.step))
            if size % factor.size:
                raise UnknownError("Reshape")
            size //= factor.size
            taken.append(factor)
        axes.append(merge_factors(taken))
    return replace(tensor, axes=tuple(axes), value=None)


def broadcast_axes(tensor: Tensor, rank: int) -> Tensor:
    """Leading axes of size 1 added up to `rank`."""
    missing: tuple[Axis, ...] = ((),) * (rank - tensor.rank)
    return replace(tensor, axes=missing + tensor.known_axes)


def join(tensors: Sequence[Tensor], reason: str) -> Tensor:
    """An elementwise operation with broadcasting: all operands at the same index."""
    rank = max(tensor.rank for tensor in tensors)
    operands = [broadcast_axes(tensor, rank) for tensor in tensors]
    for position in range(rank):
        parts = {tuple(f.size for f in t.known_axes[position]) for t in operands} - {()}
        if len(parts) > 1:
            operands = [fuse(tensor, position) for tensor in operands]
    spans = list(join_spans([t.spans for t in operands], len(operands[0].spans)))
    axes = []
    for position in range(rank):
        candidates = [t.known_axes[position] for t in operands]
        sizes = {axis_size(axis) for axis in candidates} - {1}
        if len(sizes) > 1:
            raise UnknownError(f"{reason} of sizes {sorted(sizes)}")
        axis, clashes = join_axis(operands, position)
        spans = [unbounded(s, reason) if k in clashes else s for k, s in enumerate(spans)]
        axes.append(axis)
    item_bytes = max(tensor.item_bytes for tensor in operands)
    return Tensor(tuple(axes), tuple(spans), item_bytes=item_bytes)


def join_axis(operands: Sequence[Tensor], position: int) -> tuple[Axis, set[int]]:
    """The common axis of operands at one position, and the spatial axes where they disagree."""
    axes = [tensor.known_axes[position] for tensor in operands]
    sizes = [factor.size for factor in max(axes, key=len)]
    clashes = set()
    factors = []
    for number, size in enumerate(sizes):
        steps = []
        for k in range(len(operands[0].spans)):
            # An unbounded operand has nothing to say about where its pixels lie.
            bounded = {
                axis[number].step[k] if axis else Fraction(0)
                for tensor, axis in zip(operands, axes, strict=True)
                if (span := tensor.spans[k]) is not None and not span.reasons
            }
            every = [axis[number].step[k] for axis in axes if axis]
            if len(bounded) > 1:
                clashes.add(k)
            steps.append(max(bounded or every, key=abs))
        factors.append(Factor(size, tuple(steps)))
    return tuple(factors), clashes
