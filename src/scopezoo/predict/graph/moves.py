"""Rules of the operators that move values about: reshaping, slicing, joining, padding."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from scopezoo.predict.graph.joins import join, reshape
from scopezoo.predict.graph.node import Node, Rule
from scopezoo.predict.graph.tensors import (
    Tensor,
    UnknownError,
    constant,
    drop_axis,
    join_spans,
    lose,
    mix,
    plain_axis,
    window,
)


def transpose(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    order = node.integers("perm", list(range(tensor.rank))[::-1])
    if sorted(order) != list(range(tensor.rank)):
        raise UnknownError(f"Transpose by {order}")
    return [replace(tensor, axes=tuple(tensor.known_axes[i] for i in order), value=None)]


def reshape_to(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    target = [int(size) for size in node.numbers(1, "shape") or []]
    if not node.integer("allowzero", 0):
        target = [size or tensor.shape[i] for i, size in enumerate(target)]
    if target.count(-1) == 1:
        known = prod(size for size in target if size != -1)
        target[target.index(-1)] = prod(tensor.shape) // known
    return [reshape(tensor, target)]


def flatten(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    axis = node.integer("axis", 1)
    axis = axis + tensor.rank if axis < 0 else axis
    return [reshape(tensor, (prod(tensor.shape[:axis]), prod(tensor.shape[axis:])))]


def squeeze(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    wanted = node.numbers(1, "axes")
    if wanted is None:
        wanted = [i for i, size in enumerate(tensor.shape) if size == 1]
    axes = {node.axis(int(a), tensor.rank) for a in wanted}
    return [reshape(tensor, [s for i, s in enumerate(tensor.shape) if i not in axes])]


def unsqueeze(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    wanted = node.numbers(1, "axes") or []
    rank = tensor.rank + len(wanted)
    axes = {node.axis(int(a), rank) for a in wanted}
    if len(axes) != len(wanted):
        raise UnknownError("Unsqueeze of one axis twice")
    sizes = iter(tensor.shape)
    return [reshape(tensor, [1 if i in axes else next(sizes) for i in range(rank)])]


def expand(node: Node) -> list[Tensor]:
    target = node.numbers(1, "shape") or []
    return [join([node.tensor(), constant([int(s) for s in target], node.n_spatial)], node.op)]


def tile(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    repeats = node.numbers(1, "repeats") or []
    for position, count in enumerate(repeats):
        if count != 1 and tensor.shape[position] == 1:
            axes = list(tensor.known_axes)
            axes[position] = plain_axis(int(count), node.n_spatial)
            tensor = replace(tensor, axes=tuple(axes), value=None)
        elif count != 1:
            size = tensor.shape[position] * int(count)
            tensor = mix(tensor, position, size, node.op, node.extent)
    return [tensor]


def concat(node: Node) -> list[Tensor]:
    tensors = [t for t in node.inputs if t is not None]
    if len(tensors) == 1:
        return tensors
    position = node.axis(node.integer("axis", 1), tensors[0].rank)
    total = sum(t.shape[position] for t in tensors)
    if any(any(f.step) for t in tensors for f in t.known_axes[position]):
        raise UnknownError("Concat along an axis of space")
    joined = join([mix(t, position, 1, node.op, node.extent) for t in tensors], node.op)
    axes = list(joined.known_axes)
    axes[position] = plain_axis(total, node.n_spatial)
    return [replace(joined, axes=tuple(axes))]


def split(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    position = node.axis(node.integer("axis", 0), tensor.rank)
    whole = tensor.shape[position]
    sizes = node.numbers(1, "split")
    if sizes is None:
        part = -(-whole // node.n_outputs)
        sizes = [min(part, whole - i * part) for i in range(node.n_outputs)]
    results, start = [], 0
    for size in sizes[: node.n_outputs]:
        results.append(shifted(tensor, position, int(size), start))
        start += int(size)
    return results


def shifted(tensor: Tensor, position: int, size: int, start: int, step: int = 1) -> Tensor:
    begin = Fraction(start)
    return window(tensor, position, size, Fraction(step), begin, begin)


def slice_of(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    starts, ends = node.numbers(1, "starts"), node.numbers(2, "ends")
    if starts is None or ends is None:
        raise UnknownError("Slice without starts and ends")
    axes = node.numbers(3, "axes") or list(range(len(starts)))
    steps = node.numbers(4, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        position = node.axis(int(axis), tensor.rank)
        kept = range(
            *slice(int(start), slice_end(end, step), int(step)).indices(tensor.shape[position])
        )
        if len(kept) != tensor.shape[position] or kept.step != 1:
            tensor = shifted(tensor, position, len(kept), kept.start, kept.step)
    return [tensor]


def slice_end(end: int, step: int) -> int | None:
    """ONNX writes "down to the first index" as a very negative end."""
    return None if step < 0 and end < -(1 << 31) else int(end)


def gather(node: Node) -> list[Tensor]:
    data, indices = node.tensor(0), node.tensor(1)
    position = node.axis(node.integer("axis", 0), data.rank)
    before, after = data.known_axes[:position], data.known_axes[position + 1 :]
    chosen = indices.value
    if chosen is not None and chosen.ndim <= 1:
        found = np.atleast_1d(chosen).astype(np.int64) % data.shape[position]
        jumps = set(np.diff(found).tolist()) or {1}
        if len(jumps) == 1 and 0 not in jumps:
            part = shifted(data, position, len(found), int(found[0]), jumps.pop())
            return [part if chosen.ndim else drop_axis(part, position)]
    mixed = mix(data, position, 1, node.op, node.extent)
    spans = join_spans([mixed.spans, indices.spans], node.n_spatial)
    return [Tensor(before + indices.known_axes + after, spans, item_bytes=data.item_bytes)]


def pad(node: Node) -> list[Tensor]:
    tensor = node.tensor()
    amounts = node.numbers(1, "pads")
    if amounts is None:
        raise UnknownError("Pad without pads")
    axes = node.numbers(3, "axes") or list(range(len(amounts) // 2))
    mode = node.attribute("mode", "constant")
    half = len(axes)
    for number, axis in enumerate(axes):
        position = node.axis(int(axis), tensor.rank)
        before, after = int(amounts[number]), int(amounts[number + half])
        if not before and not after:
            continue
        size = tensor.shape[position] + before + after
        if mode == "wrap":
            tensor = lose(tensor, position, "Pad (wrap)")
        tensor = shifted(tensor, position, size, -before)
    return [tensor]


def depth_to_space(node: Node) -> list[Tensor]:
    """Channels become a block of `blocksize` px; index o comes from floor(o / blocksize)."""
    tensor, block = node.tensor(), node.integer("blocksize", 0)
    _, channels, *space = tensor.shape
    for position, size in enumerate(space, start=2):
        lo = Fraction(1 - block, block)
        stride = Fraction(1, block)
        tensor = window(tensor, position, size * block, stride, lo, Fraction(0))
    return [mix(tensor, 1, channels // block ** len(space), node.op, node.extent)]


def space_to_depth(node: Node) -> list[Tensor]:
    tensor, block = node.tensor(), node.integer("blocksize", 0)
    _, channels, *space = tensor.shape
    for position, size in enumerate(space, start=2):
        hi = Fraction(block - 1)
        tensor = window(tensor, position, size // block, Fraction(block), Fraction(0), hi)
    return [mix(tensor, 1, channels * block ** len(space), node.op, node.extent)]


MOVE_RULES: dict[str, Rule] = {
    "Concat": concat,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Pad": pad,
    "Reshape": reshape_to,
    "Slice": slice_of,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
