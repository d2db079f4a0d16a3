"""Opens an image by what its file starts with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats.limits import reading, short_name
from scopezoo.image import Image

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

MICROSCOPE_FORMATS = {
    ".czi": "Zeiss CZI",
    ".lif": "Leica LIF",
    ".lof": "Leica LOF",
    ".xlef": "Leica XLEF",
    ".nd2": "Nikon ND2",
    ".oib": "Olympus OIB",
    ".oif": "Olympus OIF",
    ".oir": "Olympus OIR",
    ".vsi": "Olympus VSI",
    ".ims": "Imaris IMS",
    ".dv": "DeltaVision DV",
    ".zvi": "Zeiss ZVI",
}
"""Formats of microscope makers that are not read, by ending."""

MICROSCOPE_STARTS = {
    b"ZISRAWFILE": "Zeiss CZI",
    b"\xda\xce\xbe\x0a": "Nikon ND2",
    b"\x70\x00\x00\x00": "Leica LIF",
    b"\x89HDF": "HDF5 (Imaris IMS, ilastik or others)",
    b"\xd0\xcf\x11\xe0": "Olympus OIB or Zeiss ZVI",
}
"""The same where the ending is another, by first bytes."""

READABLE = "TIFF, PNG, JPEG, NPY, or an OME-Zarr folder"


def open_image(path: str | Path, *, axes: str | None = None, level: int = 0) -> Image:
    """Open an image without reading its pixels.

    Reads TIFF (OME-TIFF, ImageJ, plain, BigTIFF, tiled, compressed; the largest image of the
    file), PNG, JPEG (RGB as YXC), NPY, and OME-Zarr 0.4 and 0.5 from a folder or an http(s) URL.
    PNG and JPEG are decoded at once.

    `axes` names the axes, letters of "TCZYX" in the order of the file, and overrides what the file
    says. `level` picks a resolution of a pyramid, 0 is the full one.

    The image has the file's own order of axes. Axes of length 1 that the file does not name are
    dropped, alpha too; bool becomes uint8. A pixel size that is 0, negative, not finite, or in
    pixels is not known.

    Raises ImageError for a file that is missing, damaged, of another format, or that would take
    more memory than it can hold, also later when pixels are sliced; UsageError where `axes` or
    `level` do not fit; MissingDependencyError for a URL without the extra `remote`.
    """
    if str(path).startswith(("http://", "https://")):
        return _open_ome_zarr(path, axes, level)
    file = Path(path)
    source = short_name(path)
    with reading(source):
        if file.is_dir():
            return _open_ome_zarr(file, axes, level)
        with file.open("rb") as stream:
            start = stream.read(16)
    return _open_file(file, source, start, axes, level)


def as_image(image: Image | str | Path | NDArray[Any], axes: str | None) -> Image:
    """An image as callers have one: an Image, an array whose axes `axes` names, or a path or URL.

    Raises UsageError for an array of more than two axes without `axes`, and what `open_image` does.
    """
    if isinstance(image, Image):
        return image
    if isinstance(image, np.ndarray):
        if axes is None and image.ndim != 2:
            raise UsageError(f"an array of {image.ndim} axes needs `axes`, e.g. axes='ZYX'")
        return Image(image, (axes or "YX").upper())
    return open_image(image, axes=axes)


def _open_file(path: Path, source: str, start: bytes, axes: str | None, level: int) -> Image:
    if not start:
        raise ImageError(f"{source} is empty")
    maker = MICROSCOPE_FORMATS.get(path.suffix.lower()) or _maker(start)
    if maker:
        raise ImageError(
            f"{source} is {maker}, which scopezoo does not read: export it as OME-TIFF, from Fiji "
            "(with Bio-Formats) or from the microscope's own software"
        )
    if start.startswith(TIFF_STARTS):
        from scopezoo.formats.tiff_read import open_tiff

        return open_tiff(path, axes, level)
    if level:
        raise UsageError(f"{source} has no level {level}: it is no pyramid")
    return _open_raster(path, source, start, axes)


def _open_raster(path: Path, source: str, start: bytes, axes: str | None) -> Image:
    from scopezoo.formats import raster

    if start.startswith(b"\x89PNG\r\n"):
        return raster.open_png(path, axes)
    if start.startswith(b"\xff\xd8\xff"):
        return raster.open_jpeg(path, axes)
    if start.startswith(b"\x93NUMPY"):
        return raster.open_npy(path, axes)
    raise ImageError(f"{source} is of no format that scopezoo reads; expected {READABLE}")


def _open_ome_zarr(path: str | Path, axes: str | None, level: int) -> Image:
    from scopezoo.formats.ome_zarr_read import open_ome_zarr

    return open_ome_zarr(path, axes, level)


def _maker(start: bytes) -> str | None:
    return next(
        (name for begin, name in MICROSCOPE_STARTS.items() if start.startswith(begin)), None
    )
