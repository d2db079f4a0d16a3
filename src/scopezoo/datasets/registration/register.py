"""Finds the transform from source to target, and says how good it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.band import band_um
from scopezoo.datasets.registration.blank import is_blank
from scopezoo.datasets.registration.diagnose import diagnosed
from scopezoo.datasets.registration.judge import Judge, Judgement
from scopezoo.datasets.registration.quality import Quality, failed, has_field
from scopezoo.datasets.registration.refine import Model, simple_itk
from scopezoo.datasets.registration.search import searched
from scopezoo.datasets.registration.smoothing import smoothed
from scopezoo.datasets.registration.volume import Volume, read_volume, voxel_size_um
from scopezoo.datasets.smooth import Smooth
from scopezoo.errors import UsageError
from scopezoo.image import Image

MAX_ROTATION_DEG = 10.0
MIN_SIDE_PX = 32


@dataclass(frozen=True)
class Registration:
    """A 4×4 matrix on (z, y, x, 1) in µm, from source to target, and what is known of it.

    The origin is the centre of each image's first voxel. Where `quality.passed` is false, the
    matrix is the best that was found, or the identity, and not to be used. `smooth` is what is to
    be added to where the matrix puts a place. `model` is None for a matrix that was given.
    `judgement` has the blocks and the residual field, where there was something to judge.
    """

    matrix: NDArray[np.float64]
    quality: Quality
    model: Model | None = None
    judgement: Judgement | None = None
    smooth: Smooth | None = None


def register(
    source: Image,
    target: Image,
    *,
    model: Model = "similarity",
    smooth: bool = False,
    source_channel: int | str | None = None,
    target_channel: int | str | None = None,
    max_rotation_deg: float = MAX_ROTATION_DEG,
) -> Registration:
    """Register the first frames of a channel of two images, planes or stacks.

    Shifts are found however large; turns in the plane up to `max_rotation_deg`, small tilts with
    them. With `smooth`, what the matrix leaves is fitted too, and kept if that makes the judged
    residual better. A pair that cannot be registered, or whose result does not hold, comes back
    with `quality.passed` false and the reasons.

    Raises UsageError for an image without pixel size, or with several channels and none named;
    IncompatibleImageError for a channel that is not there; MissingDependencyError without the
    extra `datasets`.
    """
    if model not in get_args(Model):
        raise UsageError(f"model {model!r}: expected one of {', '.join(get_args(Model))}")
    simple_itk()
    finer_um = np.minimum(voxel_size_um(source), voxel_size_um(target))
    volumes = read_volume(source, source_channel), read_volume(target, target_channel)
    reasons = _unfit(*volumes)
    if reasons:
        return Registration(np.eye(4), failed(*reasons), model)
    judge = Judge(*volumes, (float(finer_um[0]), float(finer_um[2])))
    found = searched(judge, model, max_rotation_deg)
    registration = _with_smooth(judge, found.matrix, found.judgement, model, smooth)
    quality = registration.quality
    if not quality.passed and not has_field(quality):
        hints = diagnosed(*volumes, max_rotation_deg)
        quality = quality.model_copy(update={"reasons": (*hints, *quality.reasons)})
    return replace(registration, quality=quality)


def judge_transform(
    source: Image,
    target: Image,
    matrix: NDArray[np.float64],
    *,
    smooth: bool = False,
    source_channel: int | str | None = None,
    target_channel: int | str | None = None,
) -> Registration:
    """Judge a matrix that was found elsewhere, that of the session for example; `smooth` as in
    `register`.

    Raises what `register` does.
    """
    finer_um = np.minimum(voxel_size_um(source), voxel_size_um(target))
    volumes = read_volume(source, source_channel), read_volume(target, target_channel)
    reasons = _unfit(*volumes)
    if reasons:
        return Registration(matrix, failed(*reasons))
    judge = Judge(*volumes, (float(finer_um[0]), float(finer_um[2])))
    return _with_smooth(judge, matrix, judge.judged(matrix), None, smooth)


def _with_smooth(
    judge: Judge,
    matrix: NDArray[np.float64],
    judgement: Judgement,
    model: Model | None,
    wanted: bool,
) -> Registration:
    smooth = None
    if wanted and has_field(judgement.quality):
        smooth, judgement = smoothed(judge, matrix, judgement)
    return Registration(matrix, judgement.quality, model, judgement, smooth)


def _unfit(source: Volume, target: Volume) -> tuple[str, ...]:
    """Why there is nothing to register."""
    if source.is_plane != target.is_plane:
        kinds = ["a plane" if v.is_plane else "a stack" for v in (source, target)]
        return (f"the source is {kinds[0]} and the target {kinds[1]}: both must be of one kind",)
    reasons = []
    for name, volume in (("source", source), ("target", target)):
        bad = int((~np.isfinite(volume.voxels)).sum())
        if bad:
            reasons.append(f"the {name} has {bad} voxels that are NaN or infinite")
        if min(volume.shape[1:]) < MIN_SIDE_PX:
            size = " × ".join(map(str, volume.shape[1:]))
            reasons.append(f"the {name} is {size} px: too small, {MIN_SIDE_PX} px a side needed")
    if reasons:
        return tuple(reasons)
    band = band_um(source, target)
    return tuple(
        f"the {name} is blank: nothing in it stands out of the noise"
        for name, volume in (("source", source), ("target", target))
        if is_blank(volume, band)
    )
