"""Images on their way to a server: a file each, with all that is known of the image.

A file travels as it is. An array or an Image travels as NPY, or as OME-TIFF where more is known of
it than its axes: NPY cannot say it. TIFF keeps no axes of length 1 and has Y and X last; `restored`
gives results the image's own axes again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.formats import ImageWriter, as_image, create_image, open_image
from scopezoo.image import Image, LazyArray, arranged

BLOCK_BYTES = 64 * 2**20
_NAMES = re.compile(r"\bimage(\d*)\.(?:tif|npy|png|jpg)\b")
"""How images are called on the server: what a user's files are called is not sent."""


@dataclass(frozen=True)
class Parcel:
    """`file` is sent for `image`, whose input is `tensor`.

    `axes` is what the server must be told of the file's axes, `sent_axes` what it then sees.
    """

    tensor: str
    image: Image
    file: Path
    axes: str | None
    sent_axes: str

    @property
    def is_own_file(self) -> bool:
        """Whether the file that is sent is the user's own."""
        return Path(self.image.source) == self.file

    @property
    def size_bytes(self) -> int:
        return self.file.stat().st_size


def pack(images: Mapping[str, Any], axes: str | None, folder: Path) -> list[Parcel]:
    """A parcel for each image by input id; files that are needed for it are made in `folder`.

    An image is an Image, an array (with `axes`), or a path or URL. Raises UsageError for one that
    cannot be sent, and what opening an image raises.
    """
    opened = {name: as_image(image, axes) for name, image in images.items()}
    parcels = [_packed(name, images[name], opened[name], axes, folder) for name in images]
    if len({parcel.axes for parcel in parcels}) <= 1:
        return parcels
    # one request has one `axes`: each file must say its own
    return [p if p.axes is None else _as_tiff(p.tensor, p.image, folder) for p in parcels]


def _packed(name: str, given: Any, image: Image, axes: str | None, folder: Path) -> Parcel:
    if isinstance(given, str | Path) and Path(given).is_file():
        return Parcel(name, image, Path(given), axes and axes.upper(), image.axes)
    if image.pixel_size_um or image.channel_names or image.frame_interval_s is not None:
        return _as_tiff(name, image, folder)
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    _write(path, image)
    return Parcel(name, image, path, image.axes, image.axes)


def _as_tiff(name: str, image: Image, folder: Path) -> Parcel:
    path = folder / f"{len(list(folder.iterdir()))}.ome.tif"
    try:
        _write(path, image)
    except UsageError as error:
        raise UsageError(
            f"{image.source}: an image of {image.dtype} cannot be sent with what is known of it; "
            "give it as float32, uint16 or int32, or its pixels alone as an array"
        ) from error
    return Parcel(name, image, path, None, open_image(path).axes)


def _write(path: Path, image: Image) -> None:
    writer = create_image(path, shape=image.shape, dtype=image.dtype, axes=image.axes, like=image)
    copy_pixels(image.data, writer)
    writer.close()


def copy_pixels(pixels: LazyArray, writer: ImageWriter) -> None:
    """Write all pixels, in blocks of bounded size."""
    for region in _blocks(pixels.shape, max(1, BLOCK_BYTES // pixels.dtype.itemsize)):
        writer[region] = np.asarray(pixels[region])


def _blocks(shape: tuple[int, ...], max_px: int) -> Iterator[tuple[slice, ...]]:
    """Regions of at most `max_px` pixels, or of one along all axes but the last."""
    sizes = list(shape)
    for axis in range(len(shape)):
        if np.prod(sizes, dtype=np.int64) > max_px:
            rest = int(np.prod(sizes, dtype=np.int64)) // sizes[axis]
            sizes[axis] = max(1, max_px // rest)
    starts = [range(0, size, step) for size, step in zip(shape, sizes, strict=True)]
    for corner in product(*starts):
        yield tuple(
            slice(at, min(at + step, size))
            for at, step, size in zip(corner, sizes, shape, strict=True)
        )


class Rearranged:
    """An image's pixels with other axes; those that it has not have length 1."""

    def __init__(self, image: Image, axes: str) -> None:
        self._image = image
        self._axes = axes
        self.shape = tuple(image.size(axis) for axis in axes)
        self.dtype = image.dtype

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        pixels = self._image.read(**dict(zip(self._axes, region, strict=False)))
        return arranged(pixels, self._image.axes, self._axes)


def restored(found: Image, sent: Image) -> Image:
    """A result with the axes that it has where the image `sent` was not written to a TIFF before.

    Pixel sizes, which ImageJ's TIFF rounds, are again those of the image.
    """
    axes = sent.axes
    if found.size("C") > 1 and "C" not in axes:
        place = min(axes.index("Y"), axes.index("X"))
        axes = f"{axes[:place]}C{axes[place:]}"
    names = found.channel_names
    if not names and len(sent.channel_names) == found.size("C"):
        names = sent.channel_names
    return Image(
        Rearranged(found, axes),
        axes,
        {axis: _pixel_size(axis, found, sent) for axis in sent.pixel_size_um},
        sent.frame_interval_s,
        names if "C" in axes else (),
        found.source,
    )


def _pixel_size(axis: str, found: Image, sent: Image) -> float:
    before = sent.pixel_size_um[axis]
    after = found.pixel_size_um.get(axis, before)
    scaled = before / (found.size(axis) / sent.size(axis))
    return next((size for size in (before, scaled) if np.isclose(size, after, rtol=1e-6)), after)


def in_own_words(text: str, parcels: Sequence[Parcel]) -> str:
    """A server's message with the images called as the caller calls them."""

    def called(match: re.Match[str]) -> str:
        number = int(match[1] or 0)
        return parcels[number].image.source if number < len(parcels) else match[0]

    return _NAMES.sub(called, text)
