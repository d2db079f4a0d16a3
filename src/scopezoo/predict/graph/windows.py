"""Rules of the operators that look at a window: convolutions, pooling, resizing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, prod

from scopezoo.predict.graph.node import Node, Rule
from scopezoo.predict.graph.tensors import (
    Tensor,
    UnknownError,
    check_ratio,
    lose,
    mix,
    unbounded,
    window,
)

MAX_PHASES = 64
"""Up to this many phases of an upsampling are looked at one by one."""

WEIGHT_INPUT = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1}


def positive(node: Node, name: str, count: int) -> list[int]:
    """`count` integers from 1 on, which is also what they are if left out."""
    found = node.integers(name, [1] * count)
    if min(found) < 1:
        raise UnknownError(f"{node.op} with {name} = {found}")
    return found


def window_padding(
    node: Node, sizes: list[int], reach: list[int], strides: list[int]
) -> list[tuple[int, int]]:
    """Padding before and after each axis, as `pads` or `auto_pad` say."""
    mode = node.attribute("auto_pad", "NOTSET")
    if mode == "VALID":
        return [(0, 0)] * len(sizes)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max((-(-n // s) - 1) * s + k - n, 0)
            for n, k, s in zip(sizes, reach, strides, strict=True)
        ]
        return split_padding(totals, mode)
    pads = node.integers("pads", [0] * (2 * len(sizes)))
    return list(zip(pads[: len(sizes)], pads[len(sizes) :], strict=True))


def split_padding(totals: list[int], mode: str) -> list[tuple[int, int]]:
    halves = [(total // 2, total - total // 2) for total in totals]
    return halves if mode == "SAME_UPPER" else [(after, before) for before, after in halves]


def slide(node: Node, kernel: list[int]) -> Tensor:
    """The input seen through a sliding window; its channels stay."""
    tensor = node.tensor()
    sizes = list(tensor.shape[2:])
    strides, dilations = (positive(node, name, len(sizes)) for name in ("strides", "dilations"))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = window_padding(node, sizes, reach, strides)
    rounding = ceil if node.integer("ceil_mode", 0) else floor
    for number, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        before, after = pads[number]
        new = rounding(Fraction(size + before + after - reach[number], stride)) + 1
        if rounding is ceil and (new - 1) * stride >= size + before:
            new -= 1  # the last window would start in the padding
        lo = Fraction(-before)
        hi = Fraction(reach[number] - 1 - before)
        tensor = window(tensor, number + 2, new, Fraction(stride), lo, hi)
    return tensor


def conv(node: Node) -> list[Tensor]:
    weight = node.tensor(WEIGHT_INPUT[node.op])
    if not weight.is_constant or weight.rank != node.tensor().rank:
        raise UnknownError(f"{node.op} with computed weights")
    channels, per_group, *kernel = weight.shape
    result = with_channels(node, slide(node, kernel), channels)
    node.macs = prod(result.shape) * per_group * prod(kernel)
    return [result]


def with_channels(node: Node, tensor: Tensor, channels: int) -> Tensor:
    return mix(tensor, 1, channels, node.op, node.extent)


def conv_transpose(node: Node) -> list[Tensor]:
    """out[o] gets in[i] wherever o = stride*i + dilation*tap - pad."""
    tensor, weight = node.tensor(), node.tensor(1)
    if not weight.is_constant or weight.rank != tensor.rank:
        raise UnknownError(f"{node.op} with computed weights")
    _, per_group, *kernel = weight.shape
    macs = prod(tensor.shape) * per_group * prod(kernel)
    sizes = tensor.shape[2:]
    strides, dilations = (positive(node, name, len(sizes)) for name in ("strides", "dilations"))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads, new_sizes = transposed_padding(node, list(sizes), reach, strides)
    for number, stride in enumerate(strides):
        lo, hi = transposed_reach(stride, reach[number], pads[number])
        step = Fraction(1, stride)
        tensor = window(tensor, number + 2, new_sizes[number], step, lo, hi)
    node.macs = macs
    return [with_channels(node, tensor, per_group * node.integer("group", 1))]


def transposed_padding(
    node: Node, sizes: list[int], reach: list[int], strides: list[int]
) -> tuple[list[int], list[int]]:
    """Padding before each axis, and the output sizes, of a transposed convolution."""
    n = len(sizes)
    extra = node.integers("output_padding", [0] * n)
    full = [s * (i - 1) + e + r for s, i, e, r in zip(strides, sizes, extra, reach, strict=True)]
    mode = node.attribute("auto_pad", "NOTSET")
    wanted = node.attribute("output_shape")
    if wanted is None and mode not in ("SAME_UPPER", "SAME_LOWER"):
        pads = window_padding(node, sizes, reach, strides)
        new = [f - before - after for f, (before, after) in zip(full, pads, strict=True)]
        return [before for before, _ in pads], new
    new = wanted[-n:] if wanted else [i * s for i, s in zip(sizes, strides, strict=True)]
    totals = [max(f - o, 0) for f, o in zip(full, new, strict=True)]
    # Of an odd total the larger half goes in front unless SAME_UPPER asks otherwise.
    pads = split_padding(totals, mode if mode == "SAME_UPPER" else "SAME_LOWER")
    return [before for before, _ in pads], new


def transposed_reach(stride: int, reach: int, pad: int) -> tuple[Fraction, Fraction]:
    """Offsets of the input indices that output o sees, from o / stride."""
    if stride > MAX_PHASES:
        return Fraction(pad - reach + 1, stride), Fraction(pad, stride)
    offsets = []
    for o in range(stride):
        first, last = ceil(Fraction(o + pad - reach + 1, stride)), (o + pad) // stride
        offsets += [i - Fraction(o, stride) for i in (first, last) if first <= last]
    return min(offsets, default=Fraction(0)), max(offsets, default=Fraction(0))


def pool(node: Node) -> list[Tensor]:
    count = node.tensor().rank - 2
    kernel = positive(node, "kernel_shape", count)
    result = slide(node, kernel)
    if node.n_outputs == 1:
        return [result]
    # The second output counts positions in the whole plane, which no tile can know.
    spans = tuple(unbounded(span, f"{node.op} indices") for span in result.spans)
    return [result, replace(result, spans=spans, item_bytes=8)]


def resize(node: Node) -> list[Tensor]:
    """Resize since opset 10 and Upsample before: each axis by its own scale."""
    tensor = node.tensor()
    scales, sizes, axes = resize_targets(node, tensor)
    for number, axis in enumerate(axes):
        position = node.axis(int(axis), tensor.rank)
        old = tensor.shape[position]
        new = sizes[number] if sizes else floor(old * scales[number])
        scale = scales[number] if scales else Fraction(int(new), old)
        if scale == 1 and new == old:
            continue
        tensor = resize_axis(node, tensor, position, int(new), scale)
    return [tensor]


def resize_targets(node: Node, tensor: Tensor) -> tuple[list[Fraction], list[int], list[int]]:
    """Scales or sizes (the other is empty), and the axes that they are for."""
    first = 2 if node.op == "Resize" and node.opset >= 11 else 1
    axes = node.attribute("axes", list(range(tensor.rank)))
    if node.op == "Resize" and node.has_input(3):
        sizes = [int(s) for s in node.numbers(3, "sizes") or []]
        if sizes:
            return [], stretch_policy(node, sizes), axes
    found = node.numbers(first, "scales") or []
    scales = [Fraction(float(s)).limit_denominator(1000) for s in found]
    if not scales or min(scales) <= 0:
        raise UnknownError(f"{node.op} without scales")
    return scales, [], axes


def stretch_policy(node: Node, sizes: list[int]) -> list[int]:
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnknownError("Resize that keeps the aspect ratio")
    return sizes


SIZE_DEPENDENT = frozenset({"align_corners", "tf_crop_and_resize"})
"""How Resize places its pixels by the ends of the whole image."""


def resize_axis(node: Node, tensor: Tensor, position: int, new: int, scale: Fraction) -> Tensor:
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    if mode in SIZE_DEPENDENT:
        tensor = lose(tensor, position, f"{node.op} ({mode})")
    step = check_ratio(1 / scale)
    lo, hi = resize_reach(node, step, coordinate(node, mode, scale))
    return window(tensor, position, new, step, lo, hi)


def coordinate(node: Node, mode: str, scale: Fraction) -> Callable[[int], Fraction]:
    """The input coordinate of an output index."""
    half = Fraction(1, 2)
    if node.op == "Upsample" or node.opset < 11 or mode == "asymmetric":
        return lambda o: o / scale
    if mode == "tf_half_pixel_for_nn":
        return lambda o: (o + half) / scale
    if mode not in SIZE_DEPENDENT and "half_pixel" not in mode:
        raise UnknownError(f"{node.op} with {mode!r}")
    return lambda o: (o + half) / scale - half


def resize_reach(
    node: Node, step: Fraction, where: Callable[[int], Fraction]
) -> tuple[Fraction, Fraction]:
    """Offsets of the input indices that output o sees, from step * o, over all phases."""
    taps = resize_taps(node, step)
    if step.denominator > MAX_PHASES:
        first, last = taps(where(0))
        return Fraction(first - 1), Fraction(last + 1)
    seen = [(taps(where(o)), step * o) for o in range(step.denominator)]
    return (
        min(first - base for (first, _), base in seen),
        max(last - base for (_, last), base in seen),
    )


def resize_taps(node: Node, step: Fraction) -> Callable[[Fraction], tuple[int, int]]:
    """First and last input index that the value at a coordinate is made from."""
    mode = node.attribute("mode", "nearest")
    if mode in ("linear", "cubic"):
        support = Fraction(1 if mode == "linear" else 2)
        if node.integer("antialias", 0):
            support *= max(step, Fraction(1))
            return lambda x: (floor(x - support), ceil(x + support))
        width = int(support)
        return lambda x: (ceil(x) - width if x.denominator > 1 else int(x), last_tap(x, width))
    half = Fraction(1, 2)
    rounding: dict[str, Callable[[Fraction], int]] = {
        "floor": floor,
        "ceil": ceil,
        "round_prefer_floor": lambda x: ceil(x - half),
        "round_prefer_ceil": lambda x: floor(x + half),
    }
    default = "floor" if node.op == "Upsample" or node.opset < 11 else "round_prefer_floor"
    pick = rounding.get(node.attribute("nearest_mode", default))
    if mode != "nearest" or pick is None:
        raise UnknownError(f"{node.op} with mode {mode}")
    return lambda x: (pick(x), pick(x))


def last_tap(x: Fraction, width: int) -> int:
    return floor(x) + width if x.denominator > 1 else int(x)


WINDOW_RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv"), conv),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
    **dict.fromkeys(("Resize", "Upsample"), resize),
    "ConvTranspose": conv_transpose,
}
