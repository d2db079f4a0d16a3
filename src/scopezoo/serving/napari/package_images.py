"""The images that a package brings: what it was tested on, and what it should give."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from scopezoo.errors import ImageError, PackageError
from scopezoo.formats import open_image
from scopezoo.image import Image, arranged
from scopezoo.predict.scale import model_pixel_size_um
from scopezoo.predict.sources import axis_letter
from scopezoo.predict.stages import output_kind
from scopezoo.serving.napari.pixels import LayerData, image_layers
from scopezoo.store import Package, Tensor
from scopezoo.store.tensors import FileReference
from scopezoo.validation.npy import npy_problem


def package_layers(package: Package, outputs: bool = True) -> list[LayerData]:
    """The sample images of a package, or its test tensors where it has none, as layers.

    Raises PackageError for a package without any, or with damaged ones.
    """
    description = package.description
    layers: list[LayerData] = []
    for tensor in (*description.inputs, *(description.outputs if outputs else ())):
        image = _tensor_image(package, tensor)
        if image is not None:
            name = f"sample of {package.id}" + (f", {tensor.id}" if outputs else "")
            layers += image_layers([image], name, output_kind(tensor) == "labels")
    if not layers:
        raise PackageError(f"{package.id} has neither sample images nor test tensors to open")
    return layers


def _tensor_image(package: Package, tensor: Tensor) -> Image | None:
    if tensor.sample_tensor is not None:
        try:
            return image_of_bytes(package.read(tensor.sample_tensor), tensor.sample_tensor.source)
        except ImageError:  # a form that is not read; the test tensor is always NPY
            pass
    return _test_image(package, tensor, tensor.test_tensor) if tensor.test_tensor else None


def image_of_bytes(content: bytes, name: str) -> Image:
    """An image file that is in memory, read whole. Raises what `open_image` raises."""
    with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
        path = Path(folder) / PurePosixPath(name).name
        path.write_bytes(content)
        image = open_image(path)
        return image.with_data(image.read(), image.axes, image.channel_names)


def _test_image(package: Package, tensor: Tensor, reference: FileReference) -> Image:
    content = package.read(reference)
    problem = npy_problem(content)
    if problem:
        raise PackageError(f"{package.location}: {reference.source} {problem}")
    pixels = np.load(io.BytesIO(content), allow_pickle=False)
    letters = [axis_letter(tensor, axis) for axis in tensor.axes]
    if len(letters) != pixels.ndim or any(
        size > 1 for size, letter in zip(pixels.shape, letters, strict=False) if letter is None
    ):
        raise PackageError(
            f"{package.location}: {reference.source} has shape {pixels.shape}; expected the axes "
            f"{', '.join(tensor.axis_ids)} and a batch of 1"
        )
    shown = "".join(_shown(letters, pixels.shape))
    return Image(
        arranged(pixels, letters, shown), shown, model_pixel_size_um(tensor), source=package.id
    )


def _shown(letters: list[str | None], shape: tuple[int, ...]) -> Iterator[str]:
    for letter, size in zip(letters, shape, strict=True):
        if letter is not None and (size > 1 or letter in "YX"):
            yield letter
