"""Results of a prediction as layers that lie where the input's layer lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scopezoo.image import Image
from scopezoo.serving.napari.pixels import LayerData, lazy_pixels


@dataclass(frozen=True)
class Place:
    """Where a layer lies in the world: what its results take over.

    `axes` has a letter for each dimension of the layer, which colours are not.
    """

    axes: str
    name: str
    scale: tuple[float, ...]
    translate: tuple[float, ...]
    rotate: Any
    shear: Any
    affine: Any
    units: tuple[Any, ...]
    axis_labels: tuple[str, ...]

    @classmethod
    def of(cls, layer: Any, axes: str) -> Place:
        return cls(
            axes[: layer.ndim],
            layer.name,
            tuple(map(float, layer.scale)),
            tuple(map(float, layer.translate)),
            np.asarray(layer.rotate),
            np.asarray(layer.shear),
            np.asarray(layer.affine.affine_matrix),
            tuple(layer.units),
            tuple(layer.axis_labels),
        )

    def settings(self, zoom: Mapping[str, float], channel: int, axes: str) -> dict[str, Any]:
        """Settings of a layer with the dimensions `axes` at this place.

        `zoom` has the size of its pixels in those of the input by axis; `channel` is the input's
        channel that it is of, for a dimension of channels.
        """
        kept = [self.axes.index(axis) for axis in axes]
        scale = [self.scale[i] * zoom.get(axis, 1.0) for i, axis in zip(kept, axes, strict=True)]
        # The corner of the field stays, so centres of larger pixels lie further from it.
        shift = [(new - self.scale[i]) / 2 for i, new in zip(kept, scale, strict=True)]
        if "C" in axes:
            shift[axes.index("C")] = channel * self.scale[self.axes.index("C")]
        settings: dict[str, Any] = {
            "scale": scale,
            "translate": [self.translate[i] + by for i, by in zip(kept, shift, strict=True)],
            "rotate": self.rotate[np.ix_(kept, kept)],
            "affine": self.affine[np.ix_([*kept, -1], [*kept, -1])],
            "units": [self.units[i] for i in kept],
            "axis_labels": [self.axis_labels[i] for i in kept],
        }
        return settings | ({"shear": self.shear} if len(kept) == len(self.axes) else {})


def shown_axes(place: Place) -> str:
    """Dimensions of a result: those of the layer, but for channels that come first."""
    return place.axes[1:] if place.axes.startswith("C") else place.axes


def output_layers(
    levels: Sequence[Image], kind: str, image: Image, place: Place, name: str, channel: int = 0
) -> Iterator[LayerData]:
    """A layer for each channel of an output, which `levels` has at one or more resolutions.

    `kind` is "labels" or "image"; `image` is the input, `channel` the one of it that was run, for
    results that lie beside other channels. With several channels, their names are added to `name`.
    """
    axes = shown_axes(place)
    first = levels[0]
    zoom = {axis: _zoom(image, first, axis) for axis in "ZYX"}
    names = first.channel_names or tuple(map(str, range(first.size("C"))))
    for index in range(first.size("C")):
        shown = [_channel(level, index, axes) for level in levels]
        settings = {
            **place.settings(zoom, channel, axes),
            "name": f"{name} {names[index]}" if first.size("C") > 1 else name,
            "multiscale": len(shown) > 1,
        }
        yield shown if len(shown) > 1 else shown[0], settings, kind


def _zoom(image: Image, result: Image, axis: str) -> float:
    """The size of the result's pixels in those of the image."""
    sizes = image.pixel_size_um.get(axis), result.pixel_size_um.get(axis)
    if sizes[0] and sizes[1]:
        return sizes[1] / sizes[0]
    return image.size(axis) / result.size(axis)


def _channel(image: Image, index: int, axes: str) -> Any:
    """One channel with the dimensions `axes`, of which channels have length 1."""
    pixels = lazy_pixels(image)
    if "C" in image.axes:
        region = [slice(None)] * pixels.ndim
        region[image.axes.index("C")] = slice(index, index + 1)
        pixels = pixels[tuple(region)]
    found = image.axes
    if "C" in found and "C" not in axes:
        pixels = pixels[tuple(0 if axis == "C" else slice(None) for axis in found)]
        found = found.replace("C", "")
    return pixels.transpose([found.index(axis) for axis in axes])
