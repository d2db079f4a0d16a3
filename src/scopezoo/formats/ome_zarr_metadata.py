"""Metadata of OME-Zarr 0.5, https://ngff.openmicroscopy.org/0.5/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scopezoo.formats.new_image import SPACE, NewImage
from scopezoo.formats.pyramid import Level
from scopezoo.image import LazyArray

AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
COLOURS = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}
CHANNEL_COLOURS = ("0000FF", "00FF00", "FF0000", "FF00FF", "00FFFF", "FFFF00")
CONTRAST_PERCENTILES = (0.1, 99.9)


def multiscale(
    new: NewImage, axes: str, levels: Sequence[Level], folder: str = ""
) -> dict[str, Any]:
    """One entry of `multiscales`; the arrays are `folder` and the number of the level.

    An axis without a known size has scale 1 per full-resolution pixel and no unit.
    """
    return {
        "name": new.labels or "image",
        "type": "nearest" if new.labels is not None else "mean",
        "axes": [_axis(new, axis) for axis in axes],
        "datasets": [
            {
                "path": f"{folder}{i}",
                "coordinateTransformations": _transformations(new, axes, level),
            }
            for i, level in enumerate(levels)
        ],
    }


def _axis(new: NewImage, axis: str) -> dict[str, str]:
    described = {"name": axis.lower(), "type": AXIS_TYPES[axis]}
    if axis in new.pixel_size_um:
        described["unit"] = "micrometer"
    if axis == "T" and new.frame_interval_s is not None:
        described["unit"] = "second"
    return described


def _transformations(new: NewImage, axes: str, level: Level) -> list[dict[str, Any]]:
    """Scale, and for a mean the centre of its block: half a pixel further with each halving."""
    units = [_unit(new, axis) for axis in axes]
    factors = [level.factors[axis] for axis in axes]
    scale = [unit * factor for unit, factor in zip(units, factors, strict=True)]
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if new.labels is None and max(factors) > 1:
        shift = [unit * (factor - 1) / 2 for unit, factor in zip(units, factors, strict=True)]
        transformations.append({"type": "translation", "translation": shift})
    return transformations


def _unit(new: NewImage, axis: str) -> float:
    if axis == "T":
        return new.frame_interval_s or 1.0
    return new.pixel_size_um.get(axis, 1.0) if axis in SPACE else 1.0


def label_metadata(described: dict[str, Any]) -> dict[str, Any]:
    """Metadata of `labels/<name>`, whose image is the store itself."""
    return {
        "version": "0.5",
        "multiscales": [described],
        "image-label": {"source": {"image": "../../"}},
    }


def image_metadata(
    new: NewImage, axes: str, described: dict[str, Any], coarsest: LazyArray
) -> dict[str, Any]:
    channels = [
        {
            **({"label": new.channel_names[i]} if new.channel_names else {}),
            "active": True,
            "color": _colour(new, i),
            "window": _window(coarsest, axes, i),
        }
        for i in range(new.size("C"))
    ]
    return {"version": "0.5", "multiscales": [described], "omero": {"channels": channels}}


def _colour(new: NewImage, channel: int) -> str:
    if new.size("C") == 1:
        return "FFFFFF"
    name = new.channel_names[channel].lower() if new.channel_names else ""
    return COLOURS.get(name, CHANNEL_COLOURS[channel % len(CHANNEL_COLOURS)])


def _window(coarsest: LazyArray, axes: str, channel: int) -> dict[str, float]:
    """Contrast from the middle plane of the middle frame, at the coarsest level."""
    region = []
    for axis, size in zip(axes, coarsest.shape, strict=True):
        index = channel if axis == "C" else size // 2
        region.append(slice(None) if axis in "YX" else slice(index, index + 1))
    pixels = np.asarray(coarsest[tuple(region)], np.float64)
    pixels = pixels[np.isfinite(pixels)]
    if not pixels.size:
        return {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0}
    start, end = np.percentile(pixels, CONTRAST_PERCENTILES)
    return {
        "min": float(pixels.min()),
        "max": float(pixels.max()),
        "start": float(start),
        "end": float(end),
    }
