"""Images of the engine as napari shows them: arrays, or dask arrays where they are large."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from scopezoo.errors import UsageError
from scopezoo.formats import open_image
from scopezoo.image import Image

LayerData = tuple[Any, dict[str, Any], str]
"""Pixels, the layer's settings, and its type, as napari's readers give them."""
LOADED_BYTES = 256 * 1024**2
"""Files up to this size are loaded at once; of larger ones napari reads what it shows."""


def lazy_pixels(image: Image) -> Any:
    """The pixels as they are if they are in memory, else as a dask array."""
    if isinstance(image.data, np.ndarray):
        return image.data
    import dask.array

    chunks = getattr(image.data, "chunks", None)
    planes = tuple(-1 if axis in "YX" else 1 for axis in image.axes)
    return dask.array.from_array(  # type: ignore[no-untyped-call] # dask's own
        image.data,
        chunks=chunks or planes,
        name=False,
        fancy=False,
        meta=np.empty((0,) * len(image.shape), image.dtype),
    )


def open_levels(path: Path) -> list[Image]:
    """All resolutions of an image file, the full one first.

    Raises what `open_image` raises for the full one.
    """
    images = [open_image(path)]
    for level in count(1):
        try:
            images.append(open_image(path, level=level))
        except UsageError:
            return images
    raise AssertionError("count does not end")


def image_layers(levels: Sequence[Image], name: str, labels: bool = False) -> list[LayerData]:
    """Layers of an image: one per channel; a colour image and labels are one layer."""
    first = levels[0]
    if first.nbytes <= LOADED_BYTES:
        levels = [first]
        shown = [np.asarray(first.read())]
    else:
        shown = [lazy_pixels(level) for level in levels]
    settings: dict[str, Any] = {"name": name, "multiscale": len(shown) > 1}
    axes = first.axes
    is_rgb = axes.endswith("YXC") and first.size("C") in (3, 4) and first.dtype == np.uint8
    if is_rgb:
        settings["rgb"] = True
    elif "C" in axes and labels:
        shown = [pixels.take(0, axis=axes.index("C")) for pixels in shown]
    elif "C" in axes:
        settings |= _channels(first, name)
    axes = axes.replace("C", "")
    settings |= {
        "scale": [_step(first, axis) for axis in axes],
        "units": [_unit(first, axis) for axis in axes],
        "axis_labels": list(axes.lower()),
    }
    return [(shown if len(shown) > 1 else shown[0], settings, "labels" if labels else "image")]


def _channels(image: Image, name: str) -> dict[str, Any]:
    if image.size("C") == 1:
        return {"channel_axis": image.axes.index("C"), "name": [name]}
    names = image.channel_names or tuple(map(str, range(image.size("C"))))
    return {
        "channel_axis": image.axes.index("C"),
        "name": [f"{name} {channel}" for channel in names],
    }


def _step(image: Image, axis: str) -> float:
    if axis == "T":
        return image.frame_interval_s or 1.0
    return image.pixel_size_um.get(axis, 1.0)


def _unit(image: Image, axis: str) -> str:
    if axis == "T":
        return "second" if image.frame_interval_s else "pixel"
    return "micrometer" if axis in image.pixel_size_um else "pixel"
