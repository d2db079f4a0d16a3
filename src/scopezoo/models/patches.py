"""Training patches: where they are cut and how they are varied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.models.recipe import (
    Augmentation,
    BorderTraining,
    Normalisation,
    StarDist3dTraining,
    StarDistTraining,
)


@dataclass(frozen=True)
class Field:
    """One image to learn from, YX or ZYX: normalised float32, labels int32, and its stratum."""

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    stratum: str


def normalise(image: NDArray[Any], how: Normalisation) -> NDArray[np.float32]:
    """`scale_range` of the BioImage Model Zoo: percentiles of the image become 0 and 1."""
    low, high = np.percentile(image, [how.low_percentile, how.high_percentile])
    return np.asarray((image - low) / (high - low + 1e-6), dtype=np.float32)


def to_stride(image: NDArray[np.float32], stride: int | tuple[int, ...]) -> NDArray[np.float32]:
    """An image YX or ZYX whose sizes are multiples of `stride` (one, or one for each axis),
    reflected at the far edges."""
    steps = np.broadcast_to(stride, image.ndim).tolist()
    padding = [(0, -size % step) for size, step in zip(image.shape, steps, strict=True)]
    return np.pad(image, padding, mode="symmetric")


def field_probabilities(fields: list[Field]) -> NDArray[np.float64]:
    """How often each field is drawn: strata by the square root of their objects, evenly within.

    Drawing by objects alone would all but ignore the rare kinds of image.
    """
    objects: Counter[str] = Counter()
    members = Counter(field.stratum for field in fields)
    for field in fields:
        objects[field.stratum] += len(np.unique(field.labels)) - 1
    weights = np.array([np.sqrt(1 + objects[f.stratum]) / members[f.stratum] for f in fields])
    return np.asarray(weights / weights.sum())


def draw_patch(
    field: Field, training: StarDistTraining | BorderTraining, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A varied patch of the image and of its labels, `patch_px` squared and of `patch_planes`.

    In a stack the planes are mirrored as well, for half of the patches, and never scaled.
    """
    how = training.augmentation
    planes = training.patch_planes if isinstance(training, StarDist3dTraining) else None
    image, labels = cut_patch(
        field, training.patch_px, training.foreground, how.scale, rng, planes=planes
    )
    return _vary_intensity(image, how, rng), labels


def cut_patch(
    field: Field,
    patch_px: int,
    foreground: float,
    zoom: tuple[float, float],
    rng: np.random.Generator,
    *,
    planes: int | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A patch (YX, `patch_px` squared) of the image and of its labels: zoomed, turned, mirrored.

    Of a stack it has `planes`. A `foreground` fraction is placed on an object; `zoom` is drawn
    evenly in its logarithm.
    """
    scale = _log_uniform(rng, zoom)
    window = min(round(patch_px / scale), *field.image.shape[-2:])
    size = (window, window) if planes is None else (planes, window, window)
    corner = _corner(field.labels, size, rng, on_object=rng.random() < foreground)
    region = tuple(slice(first, first + n) for first, n in zip(corner, size, strict=True))
    index = (np.arange(patch_px) + 0.5) * window / patch_px - 0.5
    image = _resample(field.image[region], index)
    nearest = np.clip(np.rint(index).astype(int), 0, window - 1)
    labels = field.labels[region][..., nearest[:, None], nearest]
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    image, labels = np.rot90(image, turns, (-2, -1)), np.rot90(labels, turns, (-2, -1))
    if mirror:
        image, labels = image[..., ::-1], labels[..., ::-1]
    if image.ndim == 3 and rng.integers(2):
        image, labels = image[::-1], labels[::-1]
    return image, np.ascontiguousarray(labels)


def _corner(
    labels: NDArray[np.int32],
    size: tuple[int, ...],
    rng: np.random.Generator,
    *,
    on_object: bool,
) -> tuple[int, ...]:
    """First pixel of a window, around a random pixel of a random object if asked."""
    room = np.subtract(labels.shape, size)
    present = np.unique(labels)
    present = present[present > 0]
    if on_object and present.size:
        pixels = np.argwhere(labels == rng.choice(present))
        corner = np.clip(pixels[rng.integers(len(pixels))] - rng.integers(size), 0, room)
    else:
        corner = rng.integers(room + 1)
    return tuple(int(first) for first in corner)


def _resample(image: NDArray[np.float32], index: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bilinear interpolation of square planes at the same fractional indices along y and x."""
    last = image.shape[-1] - 1
    index = np.clip(index, 0, last)
    low = np.minimum(index.astype(int), max(last - 1, 0))
    high = np.minimum(low + 1, last)
    part = (index - low).astype(np.float32)
    rows = image[..., low, :] * (1 - part)[:, None] + image[..., high, :] * part[:, None]
    return np.asarray(rows[..., low] * (1 - part) + rows[..., high] * part)


def _vary_intensity(
    image: NDArray[np.float32], how: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    if rng.random() < 0.2:
        image = gaussian_filter(image, rng.uniform(*how.blur_px))
    if rng.random() < 0.5:
        image = np.where(image > 0, np.maximum(image, 0) ** _log_uniform(rng, how.gamma), image)
    varied = image * rng.uniform(*how.gain) + rng.uniform(*how.offset)
    if rng.random() < 0.5:
        varied = varied + rng.normal(0, rng.uniform(*how.noise), image.shape)
    return np.ascontiguousarray(varied, dtype=np.float32)


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))
