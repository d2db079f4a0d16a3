"""Source to target: `register` finds the transform and judges it, `resample` applies it."""

from __future__ import annotations

from scopezoo.datasets.registration.combine import Combined, combine
from scopezoo.datasets.registration.picture import picture
from scopezoo.datasets.registration.quality import Quality
from scopezoo.datasets.registration.refine import Model
from scopezoo.datasets.registration.register import Registration, judge_transform, register
from scopezoo.datasets.registration.resample import Interpolation, resample, write_resampled
from scopezoo.datasets.registration.transform_file import read_transform, write_transform
from scopezoo.datasets.smooth import Smooth

__all__ = [
    "Combined",
    "Interpolation",
    "Model",
    "Quality",
    "Registration",
    "Smooth",
    "combine",
    "judge_transform",
    "picture",
    "read_transform",
    "register",
    "resample",
    "write_resampled",
    "write_transform",
]
