"""Creates an image file of the format that its ending names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from scopezoo.errors import FileError, UsageError
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.formats.limits import writing
from scopezoo.formats.new_image import NewImage, describe
from scopezoo.image import Image

WRITABLE = (".tif", ".tiff", ".zarr", ".npy", ".png")
ENDINGS = ".tif, .tiff, .ome.tif, .ome.zarr, .zarr, .npy or .png"


def create_image(
    path: str | Path,
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    axes: str,
    like: Image | None = None,
    pixel_size_um: Mapping[str, float] | None = None,
    frame_interval_s: float | None = None,
    channel_names: tuple[str, ...] = (),
    labels: str | None = None,
    chunks: Mapping[str, int] | None = None,
    resume: bool = False,
) -> ImageWriter:
    """Create an image file, of the format that the ending of `path` names.

    `axes` are letters of "TCZYX", one for each of `shape`. Pixel size (µm by axis), frame interval
    and channel names that are not given are those of `like`. bool is written as uint8.

    - `.tif`: an ImageJ hyperstack where ImageJ can hold it (uint8, uint16, float32, below 4 GB,
      T, Z, C in this order), else OME-TIFF, as `.ome.tif` always is; uncompressed, BigTIFF above
      4 GB. Y and X come last; axes of length 1 are not kept by TIFF.
    - `.zarr`, `.ome.zarr`: OME-Zarr 0.5 with a pyramid, axes in the order TCZYX. With `labels`, a
      label image `labels/<labels>` in this store, which may hold an image and other labels.
      `chunks` are chunk sizes by axis; writing regions that are whole chunks is fastest.
    - `.npy`: axes as given, no metadata. `.png`: uint8 or uint16, YX or RGB as YXC; the pixels lie
      in `<name>.png.pixels.npy` beside it until it is closed.

    The same content gives the same bytes. With `resume`, a file that an earlier call with the same
    arguments left is gone on with. It is written in place: whoever calls gives a temporary name
    (with the same ending) and renames.

    Raises UsageError for an ending, axes, or dtype that cannot be; FileError where the file exists
    (without `resume`), is another image (with it), or the system refuses.
    """
    target = Path(path)
    new = describe(
        tuple(shape),
        np.dtype(dtype),
        axes,
        like,
        pixel_size_um,
        frame_interval_s,
        tuple(channel_names),
        labels,
        chunks,
    )
    check_ending(target)
    create = _format(target)
    if not resume and target.is_file():
        raise FileError(f"{target} already exists")
    with writing(target):
        return create(target, new, resume)


def check_ending(path: Path) -> None:
    """Raise UsageError for a path whose ending is of no format that can be written."""
    if path.suffix.lower() not in WRITABLE:
        raise UsageError(f"{path}: an image cannot be written with this ending; expected {ENDINGS}")


def _format(path: Path) -> Callable[[Path, NewImage, bool], ImageWriter]:
    ending = path.suffix.lower()
    if ending in (".tif", ".tiff"):
        from scopezoo.formats.tiff_write import create_tiff

        return create_tiff
    if ending == ".zarr":
        from scopezoo.formats.ome_zarr_write import create_ome_zarr

        return create_ome_zarr
    if ending == ".npy":
        from scopezoo.formats.raster_write import create_npy

        return create_npy
    from scopezoo.formats.raster_write import create_png

    return create_png
