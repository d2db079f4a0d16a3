"""What a model is measured on: one image with its target, or with the masks of its objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import Instrument
from scopezoo.datasets.paired.sampling import GriddedImage, IndexMap, Matrix
from scopezoo.image import Image

Kind = Literal["restoration", "segmentation"]


@dataclass(frozen=True)
class PairCase:
    """A source and a target, on grids of their own; `to_target` is between their voxel indices.

    `bent_to_target` is that with the smooth residual, where the transform has one. `pixel_um` is
    the source's along x, None where it is unknown.
    """

    id: str
    specimen: str
    image: Image
    channel: str | None
    source: GriddedImage
    target: GriddedImage
    to_target: Matrix
    pixel_um: float | None
    bent_to_target: IndexMap | None = None


@dataclass(frozen=True)
class LabelCase:
    """An image and the mask of its objects, of one grid."""

    id: str
    image: Image
    mask: Image
    channel: str | None = None

    def labels(self) -> NDArray[Any]:
        """ZYX or YX, whole numbers."""
        return np.asarray(self.mask.read())


@dataclass(frozen=True)
class LeftOut:
    """What was not measured, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Cases:
    """The chosen part of a dataset.

    `part` is that of the split, None where there is no split and all images are measured.
    `instrument` is the source's microscope, where the dataset describes it.
    """

    dataset: str
    kind: Kind
    part: str | None
    cases: Sequence[PairCase | LabelCase]
    left_out: list[LeftOut] = field(default_factory=list)
    instrument: Instrument | None = None
    notes: list[str] = field(default_factory=list)
