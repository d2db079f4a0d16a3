"""The pixel size that a model was trained at, and running an image at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from scopezoo.errors import UsageError
from scopezoo.formats.units import to_micrometres
from scopezoo.image import Image
from scopezoo.predict.destination import Layout
from scopezoo.predict.rescale import rescaled_image, resized_image
from scopezoo.predict.sources import axis_letter
from scopezoo.predict.stores import Store
from scopezoo.store.tensors import Tensor

TOLERANCE = 0.25
"""Relative difference of pixel sizes from which a model is warned about."""
COPY_PX = 1024


def model_pixel_size_um(tensor: Tensor) -> dict[str, float]:
    """Pixel size in µm by axis letter that a tensor declares; nothing where it has no unit."""
    sizes: dict[str, float] = {}
    for axis in tensor.space:
        size = to_micrometres(axis.scale, axis.unit) if axis.unit else None
        letter = axis_letter(tensor, axis)
        if size is not None and letter is not None:
            sizes[letter] = size
    return sizes


def scale_factors(image: Image, tensor: Tensor) -> dict[str, float]:
    """Image pixel size over model pixel size, by axis, where both are known."""
    model = model_pixel_size_um(tensor)
    return {
        axis: image.pixel_size_um[axis] / size
        for axis, size in model.items()
        if axis in image.pixel_size_um
    }


def scale_warnings(image: Image, tensor: Tensor) -> list[str]:
    """A warning for each axis whose pixel size is more than 25 % off the model's."""
    model = model_pixel_size_um(tensor)
    return [
        f"{image.source} has {image.pixel_size_um[axis]:.4g} µm per pixel along {axis}, the model "
        f"was trained at {model[axis]:.4g} µm; --rescale runs it at that"
        for axis, factor in scale_factors(image, tensor).items()
        if not 1 / (1 + TOLERANCE) <= factor <= 1 + TOLERANCE
    ]


def at_model_scale(image: Image, tensor: Tensor) -> Image:
    """The image as the model saw images: with its pixel size.

    Raises UsageError where the pixel size of the image or of the model is unknown.
    """
    factors = scale_factors(image, tensor)
    if not factors:
        raise UsageError(
            f"--rescale needs the pixel sizes of both: {image.source} has "
            f"{_said(image.pixel_size_um)}, the model {_said(model_pixel_size_um(tensor))}"
        )
    return rescaled_image(image, factors)


def back_on_grid(name: str, found: Image, grid: Image, store: Store) -> None:
    """Write a restored image at the model's scale into `store` on the grid of the image `grid`."""
    sizes = {axis: grid.size(axis) for axis in "ZYX" if axis in found.axes}
    resized = resized_image(found, sizes)
    layout = Layout(
        shape=resized.shape,
        dtype=resized.dtype,
        axes=resized.axes,
        pixel_size_um=grid.pixel_size_um,
        frame_interval_s=found.frame_interval_s,
        channel_names=found.channel_names,
        kind="image",
    )
    pixels = store.create(name, layout)
    for region in blocks_of_image(resized):
        pixels[region] = resized.data[region]


def blocks_of_image(image: Image) -> Iterator[tuple[slice, ...]]:
    """Regions of planes that cover an image once, for copying it."""
    steps = [COPY_PX if axis in "YX" else 1 for axis in image.axes]
    starts = [range(0, size, step) for size, step in zip(image.shape, steps, strict=True)]
    for corner in product(*starts):
        yield tuple(
            slice(start, min(start + step, size))
            for start, step, size in zip(corner, steps, image.shape, strict=True)
        )


def _said(sizes: Mapping[str, float]) -> str:
    return ", ".join(f"{axis} {size:.4g} µm" for axis, size in sizes.items()) or "none"
