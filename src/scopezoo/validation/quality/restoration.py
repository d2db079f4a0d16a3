"""One field of a restoration: figures of the result and of the raw input, and where it errs."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.models.fidelity import Fidelity, fidelity, scaled_to
from scopezoo.validation.quality.blur import Blur, Stack
from scopezoo.validation.quality.cases import PairCase
from scopezoo.validation.quality.consistency import STRONG, Consistency, consistency
from scopezoo.validation.quality.field import Field, predicted_field, read_field
from scopezoo.validation.quality.model import Model
from scopezoo.validation.quality.pictures import Picture, contrast, grey, signed, window
from scopezoo.validation.quality.rows import Row, row_start
from scopezoo.validation.quality.structures import (
    compare_structures,
    smoothed,
    structures_of,
)
from scopezoo.validation.quality.uncertainty import tracking

SHOWN_ERROR = 0.3
"""Of the target's range, the error that is shown in full colour."""
SHOWN_DEVIATIONS = 4 * STRONG
METHODS = ("prediction", "input")


@dataclass(frozen=True)
class _Matched:
    """A method's image as it is, and with the scale and offset that fit the target best."""

    image: Stack
    matched: Stack


def measure_pair(case: PairCase, model: Model, blur: Blur) -> Row:
    """All figures and pictures of a pair. Raises what `read_field` and `predict` raise."""
    field = read_field(case)
    with model.predicted(case) as given:
        warnings = given.warnings
        prediction = predicted_field(given.image, case, field)
        spread = None if given.spread is None else predicted_field(given.spread, case, field)
    stacks = {
        name: _Matched(stack, _matched(stack, field))
        for name, stack in zip(METHODS, (prediction, field.source), strict=True)
    }
    low, high = field.target_range
    wanted = structures_of(field.target, field.seen)
    voxel_um = None if case.pixel_um is None else case.source.voxel_um
    found = {
        name: compare_structures(structures_of(one.image, field.seen), wanted, voxel_um)
        for name, one in stacks.items()
    }
    filled = np.where(field.seen, field.target, stacks["prediction"].matched)
    supported = consistency(field.source, prediction, filled, blur)
    error = np.where(field.seen, stacks["prediction"].matched - field.target, 0) / (high - low)
    worst = _worst_place(error)
    scores = {name: _fidelity(one.image, field, case.pixel_um) for name, one in stacks.items()}
    return Row(
        id=case.id,
        badness=scores["prediction"].nrmse,
        figures={
            **row_start(model.likeness(case), warnings),
            "specimen": case.specimen,
            "measured_voxels": int(field.seen.sum()),
            "is_whole": field.is_whole,
            "has_pixel_size": case.pixel_um is not None,
            **{name: one.as_dict() for name, one in scores.items()},
            "structures": {name: one.as_dict() for name, one in found.items()},
            "consistency": supported.as_dict(),
            "worst_place": _told(worst, field),
            **({} if spread is None else {"uncertainty": _tracked(spread, stacks, field)}),
        },
        pictures=_pictures(field, stacks, error, supported, worst),
    )


def _matched(stack: Stack, field: Field) -> Stack:
    found = np.zeros(stack.shape, np.float32)
    found[field.seen] = scaled_to(stack[field.seen], field.target[field.seen])
    return found


def _tracked(spread: Stack, stacks: dict[str, _Matched], field: Field) -> dict[str, Any]:
    """As shares of the target's range: the spread is given the scale that the result is given."""
    own, (low, high) = stacks["prediction"], field.target_range
    before = float(own.image[field.seen].std())
    scale = float(own.matched[field.seen].std()) / before if before else 0.0
    prediction, target, values = (
        one[field.seen] / (high - low) for one in (own.matched, field.target, scale * spread)
    )
    return tracking(prediction, values, target)


def _fidelity(stack: Stack, field: Field, pixel_um: float | None) -> Fidelity:
    """Lengths are in pixels where the pixel size is unknown."""
    with redirect_stderr(io.StringIO()):  # microssim shows bars of its own
        return fidelity(stack, field.target, field.seen, pixel_um or 1.0)


def _worst_place(error: NDArray[Any]) -> tuple[int, int, int]:
    """Where the smoothed error is largest."""
    z, y, x = np.unravel_index(int(np.abs(smoothed(error)).argmax()), error.shape)
    return int(z), int(y), int(x)


def _told(place: tuple[int, int, int], field: Field) -> dict[str, int]:
    """In pixels of the source from 0."""
    return {
        axis: at + part.start for axis, at, part in zip("zyx", place, field.region, strict=True)
    }


def _pictures(
    field: Field,
    stacks: dict[str, _Matched],
    error: NDArray[Any],
    supported: Consistency,
    worst: tuple[int, int, int],
) -> list[Picture]:
    z, y, x = worst
    shown = window(error.shape[1:], (y, x))
    low, high = field.target_range
    depth = len(error)
    where = f", plane {z + field.region[0].start + 1}" if depth > 1 else ""
    pairs = [
        ("input" + where, contrast(field.source[z][shown])),
        ("target", grey(np.where(field.seen, field.target, low)[z][shown], low, high)),
        ("prediction", grey(stacks["prediction"].matched[z][shown], low, high)),
        (
            f"error: orange too bright, blue too dark (full at {SHOWN_ERROR:.0%} of the range)",
            signed(error[z][shown], SHOWN_ERROR),
        ),
        (
            "consistency: orange where the input lacks the light, blue where it has more",
            signed(_map(supported, error.shape, z)[shown], SHOWN_DEVIATIONS),
        ),
    ]
    return [Picture(pixels, caption) for caption, pixels in pairs]


def _map(supported: Consistency, shape: tuple[int, ...], z: int) -> NDArray[np.float32]:
    """Of the plane, or the nearest that is looked at; what is within the usual is left black."""
    planes, rows, columns = supported.inner
    nearest = int(np.clip(z, planes.start, planes.stop - 1)) - planes.start
    deviations = supported.deviations[nearest]
    found = np.zeros(shape[1:], np.float32)
    found[rows, columns] = np.where(np.abs(deviations) > STRONG, deviations, 0)
    return found
