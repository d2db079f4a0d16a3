"""The pictures of a package: a cover of input and output, and sample images of both."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.image import AXES, Image
from scopezoo.predict.preview import write_preview

PANEL_PX = 512


def cover_png(source: Image, result: Image, *, is_labels: bool) -> bytes:
    """Input on the left, result on the right, twice as wide as high as the zoo asks."""
    from PIL import Image as Pillow

    with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
        path = Path(folder) / "cover.png"
        kind = "labels" if is_labels else "image"
        write_preview(source, result, kind, path, max_side_px=PANEL_PX)  # type: ignore[arg-type]
        picture = Pillow.open(path).convert("RGB")
        height = min(picture.height, picture.width // 2)
        left = (picture.width - 2 * height) // 2
        top = (picture.height - height) // 2
        cut = picture.crop((left, top, left + 2 * height, top + height))
    file = io.BytesIO()
    cut.save(file, format="PNG", optimize=True)
    return file.getvalue()


def tensor_image(array: NDArray[Any], axes: str) -> Image:
    """The first sample of a tensor (`axes` are letters) as an image with axes in usual order."""
    first = array
    letters = axes
    for letter in "bi":
        if letter in letters:
            first = np.take(first, 0, axis=letters.index(letter))
            letters = letters.replace(letter, "")
    order = [letter for letter in AXES.lower() if letter in letters]
    ordered = first.transpose([letters.index(letter) for letter in order])
    if "c" in order and ordered.shape[order.index("c")] == 1:
        ordered = np.take(ordered, 0, axis=order.index("c"))
        order.remove("c")
    return Image(np.ascontiguousarray(ordered), "".join(order).upper())


def sample_tiff(image: Image) -> bytes:
    """An ImageJ TIFF of the image, the same bytes each time."""
    import tifffile

    pixels = np.asarray(image.data)
    pixels = pixels.astype(_imagej_type(pixels))
    order = [axis for axis in "TZCYX" if axis in image.axes]
    pixels = pixels.transpose([image.axes.index(axis) for axis in order])
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, imagej=True, metadata={"axes": "".join(order)})
    return file.getvalue()


def _imagej_type(pixels: NDArray[Any]) -> type[np.generic]:
    """The smallest of the types that ImageJ knows which holds the values."""
    for kind in (np.uint8, np.uint16):
        fits = pixels.min() >= 0 and pixels.max() <= np.iinfo(kind).max
        if fits and np.array_equal(pixels, np.round(pixels)):
            return kind
    return np.float32
