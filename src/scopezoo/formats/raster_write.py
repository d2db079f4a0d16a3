"""Writes NPY region by region, and PNG at once, from a scratch NPY, when it is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import FileError, UsageError
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.formats.limits import MAX_BLOCK_BYTES, nbytes, reading
from scopezoo.formats.new_image import NewImage
from scopezoo.formats.npy import make_npy, reopen_npy
from scopezoo.formats.raw_array import RawArray
from scopezoo.image import LazyArray


def create_npy(path: Path, new: NewImage, resume: bool) -> ImageWriter:
    """An array in the order of the image's axes; NPY has no place for metadata."""
    resumed = resume and path.exists()
    pixels = _npy_pixels(path, new, resumed)
    return ImageWriter(path, pixels, new.order(new.axes), resumed=resumed)


def _npy_pixels(path: Path, new: NewImage, resumed: bool) -> RawArray:
    if not resumed:
        return make_npy(path, new.shape, new.dtype)
    pixels = reopen_npy(path)
    _check_same(path, pixels, new)
    return pixels


def _check_same(path: Path, found: LazyArray, new: NewImage) -> None:
    if found.shape != new.shape or found.dtype != new.dtype:
        raise FileError(f"{path} is another image than the one to go on with; remove it")


def create_png(path: Path, new: NewImage, resume: bool) -> ImageWriter:
    """A grey or RGB picture.

    Until `close`, `path` is an empty file and the pixels lie beside it in `<name>.pixels.npy`.
    """
    if new.dtype.name not in ("uint8", "uint16") or new.axes not in ("YX", "YXC"):
        raise UsageError(
            f"{path}: PNG holds uint8 or uint16 as YX or YXC, not {new.dtype} as {new.axes}; "
            "write .tif or .ome.zarr instead"
        )
    if "C" in new.axes and new.size("C") != 3:
        raise UsageError(f"{path}: PNG holds 3 channels, not {new.size('C')}; write .tif instead")
    if nbytes(new.shape, new.dtype) > MAX_BLOCK_BYTES:
        raise UsageError(f"{path}: an image of {new.nbytes} bytes is too large for PNG; write .tif")
    resumed = resume and path.exists()
    pixels = _PngPixels(path, new, resumed)
    return ImageWriter(path, pixels, new.order(new.axes), pixels.encode, resumed)


class _PngPixels:
    """Pixels of a PNG being written: in the scratch file, and in memory once they are encoded."""

    def __init__(self, path: Path, new: NewImage, resumed: bool) -> None:
        self.shape = new.shape
        self.dtype = new.dtype
        self._path = path
        self._scratch = path.with_name(f"{path.name}.pixels.npy")
        self._pixels: RawArray | NDArray[Any]
        if resumed and not self._scratch.exists():
            self._pixels = _decoded(path, new)
            return
        self._pixels = _npy_pixels(self._scratch, new, resumed)
        path.touch()

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        return self._pixels[region]

    def __setitem__(self, region: tuple[slice, ...], block: NDArray[Any], /) -> None:
        self._pixels[region] = block

    def encode(self) -> None:
        """Write the picture and remove the scratch file; the pixels can still be read."""
        from imagecodecs import png_encode

        self._pixels = self._pixels[(slice(None),) * len(self.shape)]
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.write_bytes(png_encode(self._pixels))
        draft.replace(self._path)
        self._scratch.unlink(missing_ok=True)


def _decoded(path: Path, new: NewImage) -> NDArray[Any]:
    """The pixels of a PNG that was closed before."""
    from imagecodecs import png_decode

    with reading(str(path)):
        pixels: NDArray[Any] = np.array(png_decode(path.read_bytes()))
    _check_same(path, pixels, new)
    return pixels
