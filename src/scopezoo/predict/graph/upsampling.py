"""What a Resize or Upsample node does, where it enlarges by constant factors."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from scopezoo.predict.graph.node import Node
from scopezoo.predict.graph.windows import coordinate, resize_taps, resize_targets


@dataclass(frozen=True)
class Upsampling:
    """`nearest` has the factor of each axis of space where the result is each pixel repeated."""

    nearest: tuple[int, ...] | None


def upsampling(node: Node) -> Upsampling | None:
    """What the node does; None where it is no enlargement of space by constant factors, or where
    the weights of its interpolation do not sum to 1.

    Raises UnknownError for what the graph does not tell.
    """
    if node.op not in ("Resize", "Upsample"):
        return None
    given, _, axes = resize_targets(node, node.tensor())
    scales = dict(zip((node.axis(axis, node.tensor().rank) for axis in axes), given, strict=False))
    space = [scales.get(axis, Fraction(1)) for axis in range(2, node.tensor().rank)]
    channels = {scales.get(axis, Fraction(1)) for axis in (0, 1)}
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    if (
        not given
        or channels != {Fraction(1)}
        or min(space) < 1
        or max(space) == 1
        or node.attribute("mode", "nearest") not in ("nearest", "linear")
        or mode == "tf_crop_and_resize"
    ):
        return None
    repeats = all(_repeats(node, mode, scale) for scale in space)
    return Upsampling(tuple(map(int, space)) if repeats else None)


def _repeats(node: Node, mode: str, scale: Fraction) -> bool:
    """Whether pixel o of the result is pixel floor(o / scale), for a whole scale."""
    if scale == 1:
        return True
    if scale.denominator > 1 or node.attribute("mode", "nearest") != "nearest":
        return False
    if mode == "align_corners":
        return False
    taps, where = resize_taps(node, 1 / scale), coordinate(node, mode, scale)
    return all(taps(where(o)) == (0, 0) for o in range(int(scale)))
