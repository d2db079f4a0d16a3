"""Level 4: a tiled result is the whole result, and the declared halo is enough.

Tiles run as users run them; the whole that they must agree with, and the halo, are of the network
as the package has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.engine import Engine
from scopezoo.validation.report import Check, Status
from scopezoo.validation.runs import WHOLE_BYTES, Arrays, engine, image_of_sizes, is_fixed
from scopezoo.validation.subject import Subject

LEVEL = "seamless"
MAX_DIFFERENCE = 1e-4
"""Between tiled and whole, relative to the output's range where that exceeds 1."""
MAX_LABEL_PPM = 100.0
CORE_PX = {1: 256, 2: 64, 3: 24}
"""Width of what a tile keeps, by number of axes: small, so that there are many seams."""
MAX_IMAGE_PX = 6_000_000


def checks(subject: Subject) -> Iterator[Check]:
    """Judge the declared halo, then compare tiles with the whole on an image of odd size."""
    whole = engine(subject, memory_bytes=WHOLE_BYTES, as_packaged=True)
    yield from _halo_checks(whole)
    why = _not_tileable(whole)
    if why:
        yield Check(LEVEL, "tiles", "skipped", why)
        return
    widths = tile_widths(whole)
    image = image_of_sizes(subject.package, _image_sizes(widths))
    expected = whole.predict_sample(image)
    yield from _tiling_checks(engine(subject, tile=widths), image, expected)


def _not_tileable(network: Engine) -> str | None:
    fixed = [axis.id for axis in network.geometry.axes if is_fixed(axis)]
    if fixed:
        return (
            f"the network takes one size along {', '.join(fixed)}: no whole image to compare with"
        )
    if not network.geometry.tileable(network.description):
        return "its outputs do not follow the image pixel by pixel, so it is never tiled"
    if any(needed is None for needed in network.halo.needed.values()):
        return "every output pixel depends on the whole image"
    return None


def tile_widths(network: Engine) -> dict[str, int]:
    """Widths, by axis id, that small tiles of the network keep within."""
    rules = network.geometry.rules(network.facts.strides, network.halo.used)
    core = CORE_PX[min(3, len(rules))]
    return {
        axis.id: max(rule.minimum, 2 * (rule.halo + rule.trim) + max(core, rule.grid)) + rule.grid
        for axis, rule in zip(network.geometry.axes, rules, strict=True)
    }


def _image_sizes(widths: Mapping[str, int]) -> dict[str, int]:
    """Odd sizes of more than two tiles, along as many axes as MAX_IMAGE_PX allows."""
    sizes = {axis: (2 * width + width // 3) | 1 for axis, width in widths.items()}
    for axis in list(sizes)[:0:-1]:
        if math.prod(sizes.values()) > MAX_IMAGE_PX:
            sizes[axis] = widths[axis]
    return sizes


def _tiling_checks(tiled: Engine, image: Arrays, expected: Arrays) -> Iterator[Check]:
    first = tiled.description.inputs[0]
    shape = image[first.id].shape
    count = len(tiled.plan(shape))
    what = f"{'×'.join(map(str, tiled.sizes(shape)))} in {count} tiles"
    hint = "this is for scopezoo's developers: send them the package"
    for tensor, found in tiled.predict_sample(image).items():
        difference = _difference(found, expected[tensor])
        allowed = _allowed(expected[tensor])
        good = difference.value <= allowed
        message = f"{what} differs from the whole by at most {difference.text}"
        measured = {"tiles": count, "difference": difference.value, "allowed": allowed}
        status: Status = "passed" if good else "failed"
        yield Check(LEVEL, f"tiles of {tensor}", status, message, measured, "" if good else hint)


def _halo_checks(network: Engine) -> Iterator[Check]:
    halo = network.halo
    for axis, declared in halo.declared.items():
        needed, radius = halo.needed.get(axis), halo.radius.get(axis)
        error = _error_at(network.facts.halo_error.get(axis, {}), declared)
        measured = {
            "declared_px": declared,
            "needed_px": needed,
            "radius_px": radius,
            "error_at_declared": error,
        }
        status: Status = "warned"
        hint = f"declare a halo of {needed} px: programs that trust it show seams"
        if needed is None:
            message = "no halo makes tiles exact: every output pixel depends on the whole image"
            hint = "state a fixed size, or leave out what looks at the whole image"
        elif declared < needed:
            message = (
                f"declares a halo of {declared} px, at which the network's output is off by up to "
                f"{error:.2g}; {needed} px are needed, {radius} px are seen"
            )
        else:
            status, hint = "passed", ""
            message = f"declares a halo of {declared} px, {needed} px are needed"
        yield Check(LEVEL, f"halo {axis}", status, message, measured, hint)


def _error_at(errors: Mapping[str, float], declared_px: int) -> float:
    """Error of the largest halo that was measured and is no more than the declared one."""
    measured = [px for px in map(int, errors) if px <= declared_px]
    return errors[str(max(measured))] if measured else float("nan")


@dataclass(frozen=True)
class _Difference:
    value: float
    text: str


def _allowed(expected: NDArray[Any]) -> float:
    if expected.dtype.kind in "iu":
        return MAX_LABEL_PPM
    return MAX_DIFFERENCE * max(1.0, float(np.ptp(expected)))


def _difference(found: NDArray[Any], expected: NDArray[Any]) -> _Difference:
    """The largest difference, or of labels the differing pixels in ppm."""
    if found.shape != expected.shape:
        return _Difference(float("inf"), f"its shape {found.shape} instead of {expected.shape}")
    if expected.dtype.kind in "iu":
        return _label_difference(found, expected)
    value = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max(initial=0))
    return _Difference(value, f"{value:.2g}")


def _label_difference(found: NDArray[Any], expected: NDArray[Any]) -> _Difference:
    """Labels may be numbered differently; the objects must be the same."""
    pairs, counts = np.unique(
        np.stack([found.ravel(), expected.ravel()]), axis=1, return_counts=True
    )
    best: dict[int, int] = {}
    for (label, _), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        best[label] = max(best.get(label, 0), count)
    ppm = (1 - sum(best.values()) / max(1, expected.size)) * 1e6
    objects = [len(np.unique(labels[labels > 0])) for labels in (found, expected)]
    text = f"{ppm:.3g} ppm of the pixels ({objects[0]} objects, whole {objects[1]})"
    return _Difference(ppm if objects[0] == objects[1] else float("inf"), text)
