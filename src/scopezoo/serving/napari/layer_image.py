"""A layer of napari as an image of the engine, without loading it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.formats.units import to_micrometres, to_seconds
from scopezoo.image import AXES, Image

RGB = ("red", "green", "blue")
AXES_IN_WORDS = {
    "YX": "plane",
    "ZYX": "stack of planes in depth",
    "TYX": "time series",
    "CYX": "channels",
    "TZYX": "time series of stacks",
    "TCYX": "time series with channels",
    "ZCYX": "stack with channels",
    "CZYX": "channels of a stack",
    "TZCYX": "time, depth, channels",
    "TCZYX": "time, channels, depth",
}
"""What the dimensions of a layer may be."""


class LayerPixels:
    """The pixels of a layer (numpy, dask, zarr, …), computed where they are sliced.

    `check` is called before each read, and may raise to end the work.
    """

    def __init__(self, data: Any, check: Callable[[], None]) -> None:
        self._data = data
        self._check = check
        self.shape: tuple[int, ...] = tuple(int(size) for size in data.shape)
        self.dtype: np.dtype[Any] = np.dtype(data.dtype)
        if self.dtype == np.bool_:
            self.dtype = np.dtype(np.uint8)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Sizes of the pieces that are computed at once; None where there are none."""
        sizes = getattr(self._data, "chunksize", None) or getattr(self._data, "chunks", None)
        if sizes is None or not all(isinstance(size, int) for size in sizes):
            return None
        return tuple(sizes)

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        self._check()
        return np.asarray(self._data[region]).astype(self.dtype, copy=False)


def axes_choices(layer: Any) -> list[str]:
    """What the dimensions of a layer may be, likely ones first; a colour image has C at the end.

    Raises UsageError for a layer of one dimension, or of more than five.
    """
    choices = [axes for axes in AXES_IN_WORDS if len(axes) == layer.ndim]
    if not choices:
        raise UsageError(f"{layer.name} has {layer.ndim} dimensions; expected 2 to 5")
    if layer.rgb:
        return [f"{axes}C" for axes in choices if "C" not in axes]
    return choices


def stated_axes(layer: Any) -> str | None:
    """The axes as the layer tells them, by its axis labels or units; None where it does not."""
    choices = axes_choices(layer)
    colour = "C" if layer.rgb else ""
    letters = "".join(label[:1] for label in layer.axis_labels).upper() + colour
    named = all(label.lower() in _NAMES for label in layer.axis_labels)
    if named and set(letters) <= set(AXES) and len(set(letters)) == len(letters):
        return letters
    if layer.ndim == 3 and to_micrometres(1, str(layer.units[0])):
        return f"ZYX{colour}"
    if layer.ndim == 3 and to_seconds(1, str(layer.units[0])):
        return f"TYX{colour}"
    return choices[0] if len(choices) == 1 else None


_NAMES = (*AXES.lower(), "time", "channel")


def pixel_size_um(layer: Any, axes: str) -> dict[str, float]:
    """The pixel size of a layer where its units are known lengths; nothing is guessed."""
    by_axis = zip(axes, layer.scale, layer.units, strict=False)  # colours have no scale
    sizes = {axis: to_micrometres(size, str(unit)) for axis, size, unit in by_axis if axis in "ZYX"}
    return {axis: size for axis, size in sizes.items() if size is not None}


def channel_names(layer: Any, axes: str) -> tuple[str, ...]:
    """Names of a layer's channels: colours of a colour image, else numbers from 0."""
    if "C" not in axes:
        return ()
    if layer.rgb:
        return (*RGB, "alpha")[: int(_full_resolution(layer).shape[-1])]
    return tuple(str(i) for i in range(int(_full_resolution(layer).shape[axes.index("C")])))


def layer_image(layer: Any, axes: str, check: Callable[[], None] = lambda: None) -> Image:
    """The full resolution of a layer, as an image that is read when it is sliced."""
    time = dict(zip(axes, zip(layer.scale, layer.units, strict=True), strict=False)).get("T")
    return Image(
        LayerPixels(_full_resolution(layer), check),
        axes,
        pixel_size_um(layer, axes),
        to_seconds(time[0], str(time[1])) if time else None,
        channel_names(layer, axes),
        layer.name,
    )


def _full_resolution(layer: Any) -> Any:
    return layer.data[0] if layer.multiscale else layer.data
