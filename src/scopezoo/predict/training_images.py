"""What a package knows of the images that its model was trained on, and whether one is unlike them.

`training_images.json`, an attachment of the package, holds the `appearance` of each training image.
A new image is unlike them if it is further from its nearest ones than images of training are from
those of other specimens. It is a warning about the picture, not about the biology: a rare phenotype
in an ordinary picture passes, and so does all that shows in none of the figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.image import Image
from scopezoo.predict.appearance import FIGURES, appearance
from scopezoo.predict.sources import pick_channels
from scopezoo.store.fields import file_reference, listed, number, required
from scopezoo.store.package import Package
from scopezoo.store.tensors import Tensor

TRAINING_IMAGES = "training_images.json"
SCHEMA = 1
NEAREST = 3
MAX_IMAGES = 100_000


@dataclass(frozen=True)
class Likeness:
    """`distance` is 1 at the limit, and above for images that are unlike those of training."""

    distance: float
    reason: str

    @property
    def is_unlike(self) -> bool:
        return self.distance > 1


@dataclass(frozen=True)
class TrainingImages:
    """Figures of the training images (image, figure), what they spread by, and the limit."""

    dataset: str
    figures: NDArray[np.float64]
    spread: NDArray[np.float64]
    limit: float

    def likeness(self, image: Image, channels: list[int]) -> Likeness | None:
        """How far an image is from those of training; None where it has no finite pixel."""
        found = appearance(image, channels)
        if found is None:
            return None
        return Likeness(
            distance(found, self.figures, self.spread) / self.limit,
            reason(found, self.figures, self.spread),
        )

    def warnings(self, image: Image, tensor: Tensor, channel: str | None) -> list[str]:
        """A warning if the image, as the tensor takes it, is unlike those of training."""
        found = self.likeness(image, pick_channels(image, tensor, channel))
        if found is None or not found.is_unlike:
            return []
        return [
            f"{image.source} is unlike the images of {self.dataset} that the model was trained on "
            f"({found.distance:.1f} times the limit; {found.reason}): check the result by eye"
        ]


def distance(
    found: NDArray[np.float64], others: NDArray[np.float64], spread: NDArray[np.float64]
) -> float:
    """Of one image's figures from those of `others` (image, figure), in units of `spread`.

    The mean of the distances to the three nearest, and how far single figures are beyond all of the
    others: what is between known images is less strange than what is outside.
    """
    apart = np.sqrt((((others - found) / spread) ** 2).mean(axis=1))
    nearest = float(np.sort(apart)[:NEAREST].mean())
    return float(np.hypot(nearest, np.linalg.norm(_beyond(found, others) / spread)))


def reason(
    found: NDArray[np.float64], others: NDArray[np.float64], spread: NDArray[np.float64]
) -> str:
    """In words, the figure that sets an image apart most, against its nearest others."""
    sets_apart = _beyond(found, others) / spread
    than = "any of them"
    if not sets_apart.any():
        apart = (((others - found) / spread) ** 2).mean(axis=1)
        sets_apart = (found - others[np.argsort(apart)[:NEAREST]].mean(axis=0)) / spread
        than = "those nearest to it"
    which = int(np.abs(sets_apart).argmax())
    more, less = list(FIGURES.values())[which]
    return f"it has {more if sets_apart[which] > 0 else less} than {than}"


def _beyond(found: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each figure is above the largest (positive) or below the smallest (negative)."""
    above = np.maximum(found - others.max(axis=0), 0)
    below = np.maximum(others.min(axis=0) - found, 0)
    return np.asarray(above - below)


def read_training_images(package: Package) -> TrainingImages | None:
    """What the package brings; None where it brings nothing, or of a later version.

    Raises PackageError where the file is not what it must be.
    """
    attached = package.description.rdf.get("attachments")
    entries = attached if isinstance(attached, list) else []
    references = [found for entry in entries if (found := file_reference(entry))]
    named = [found for found in references if found.source == TRAINING_IMAGES]
    if not named:
        return None
    where = f"{package.location}: {TRAINING_IMAGES}"
    try:
        content = json.loads(package.read(named[0]))
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{where} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise PackageError(f"{where} holds no object")
    if content.get("schema") != SCHEMA or content.get("figures") != list(FIGURES):
        return None
    return _parsed(content, where)


def _parsed(content: Mapping[str, Any], where: str) -> TrainingImages:
    rows = listed(required(content, "images", where), f"{where}: images")
    limit = number(required(content, "limit", where), f"{where}: limit")
    spread = _numbers([required(content, "spread", where)], where)[0]
    if not 0 < len(rows) <= MAX_IMAGES or not limit > 0 or not (spread > 0).all():
        raise PackageError(f"{where}: expected images, and a limit and a spread above 0")
    return TrainingImages(
        str(content.get("dataset", "a dataset")), _numbers(rows, where), spread, limit
    )


def _numbers(rows: list[Any], where: str) -> NDArray[np.float64]:
    try:
        found = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise PackageError(f"{where}: expected numbers, {error}") from error
    if found.shape != (len(rows), len(FIGURES)) or not np.isfinite(found).all():
        raise PackageError(f"{where}: expected {len(FIGURES)} finite numbers for each image")
    return found


def to_json(
    dataset: str, figures: NDArray[np.float64], spread: NDArray[np.float64], limit: float
) -> dict[str, Any]:
    """The content of the file."""
    return {
        "schema": SCHEMA,
        "dataset": dataset,
        "figures": list(FIGURES),
        "limit": round(limit, 4),
        "spread": [round(float(value), 4) for value in spread],
        "images": [[round(float(value), 3) for value in row] for row in figures],
    }
