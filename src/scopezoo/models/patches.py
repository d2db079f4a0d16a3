"""Training patches: where they are cut and how they are varied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.models.recipe import Augmentation, Normalisation, StarDistTraining


@dataclass(frozen=True)
class Field:
    """One image to learn from: normalised float32 YX, labels int32 YX, and its stratum."""

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    stratum: str


def normalise(image: NDArray[Any], how: Normalisation) -> NDArray[np.float32]:
    """`scale_range` of the BioImage Model Zoo: percentiles of the plane become 0 and 1."""
    low, high = np.percentile(image, [how.low_percentile, how.high_percentile])
    return np.asarray((image - low) / (high - low + 1e-6), dtype=np.float32)


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
    field: Field, training: StarDistTraining, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A varied patch (YX, `patch_px` squared) of the image and of its labels."""
    how = training.augmentation
    image, labels = cut_patch(field, training.patch_px, training.foreground, how.scale, rng)
    return _vary_intensity(image, how, rng), labels


def cut_patch(
    field: Field,
    patch_px: int,
    foreground: float,
    zoom: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A patch (YX, `patch_px` squared) of the image and of its labels: zoomed, turned, mirrored.

    A `foreground` fraction is placed on an object; `zoom` is drawn evenly in its logarithm.
    """
    scale = _log_uniform(rng, zoom)
    window = min(round(patch_px / scale), *field.image.shape)
    top, left = _place(field.labels, window, rng, on_object=rng.random() < foreground)
    region = np.s_[top : top + window, left : left + window]
    index = (np.arange(patch_px) + 0.5) * window / patch_px - 0.5
    image = _resample(field.image[region], index)
    nearest = np.clip(np.rint(index).astype(int), 0, window - 1)
    labels = field.labels[region][np.ix_(nearest, nearest)]
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    image, labels = np.rot90(image, turns), np.rot90(labels, turns)
    if mirror:
        image, labels = image[:, ::-1], labels[:, ::-1]
    return image, np.ascontiguousarray(labels)


def _place(
    labels: NDArray[np.int32], window: int, rng: np.random.Generator, *, on_object: bool
) -> tuple[int, int]:
    """Top left corner of a square window, around a random pixel of a random object if asked."""
    room = np.array(labels.shape) - window
    present = np.unique(labels)
    present = present[present > 0]
    if on_object and present.size:
        pixels = np.argwhere(labels == rng.choice(present))
        corner = pixels[rng.integers(len(pixels))] - rng.integers(window, size=2)
        top, left = np.clip(corner, 0, room)
    else:
        top, left = rng.integers(room + 1)
    return int(top), int(left)


def _resample(image: NDArray[np.float32], index: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bilinear interpolation of a square image at the same fractional indices along y and x."""
    last = image.shape[0] - 1
    index = np.clip(index, 0, last)
    low = np.minimum(index.astype(int), max(last - 1, 0))
    high = np.minimum(low + 1, last)
    part = (index - low).astype(np.float32)
    rows = image[low] * (1 - part)[:, None] + image[high] * part[:, None]
    return np.asarray(rows[:, low] * (1 - part) + rows[:, high] * part)


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
