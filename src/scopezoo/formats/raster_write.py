"""Writes NPY region by region, and PNG at once when it is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from scopezoo.errors import FileError, UsageError
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.formats.limits import MAX_BLOCK_BYTES, nbytes, reading
from scopezoo.formats.new_image import NewImage
from scopezoo.formats.raw_array import RawArray, reserve


def create_npy(path: Path, new: NewImage, resume: bool) -> ImageWriter:
    """An array in the order of the image's axes; NPY has no place for metadata."""
    resumed = resume and path.exists()
    if not resumed:
        _make_npy(path, new)
    with reading(str(path)):
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if mapped.shape != new.shape or mapped.dtype != new.dtype:
        raise FileError(f"{path} is another image than the one to go on with; remove it")
    pixels = RawArray(path, int(mapped.offset), new.shape, mapped.dtype)
    return ImageWriter(path, pixels, new.order(new.axes), resumed=resumed)


def _make_npy(path: Path, new: NewImage) -> None:
    draft = path.with_name(f"{path.name}.new")
    header: dict[str, Any] = {
        "descr": npy.dtype_to_descr(new.dtype),
        "fortran_order": False,
        "shape": new.shape,
    }
    try:
        with draft.open("wb") as file:
            npy.write_array_header_1_0(file, header)
            offset = file.tell()
        reserve(draft, offset + new.nbytes)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def create_png(path: Path, new: NewImage, resume: bool) -> ImageWriter:  # noqa: ARG001
    """A grey or RGB picture; what was written before `close` ends with the process."""
    if new.dtype.name not in ("uint8", "uint16") or new.axes not in ("YX", "YXC"):
        raise UsageError(
            f"{path}: PNG holds uint8 or uint16 as YX or YXC, not {new.dtype} as {new.axes}; "
            "write .tif or .ome.zarr instead"
        )
    if "C" in new.axes and new.size("C") != 3:
        raise UsageError(f"{path}: PNG holds 3 channels, not {new.size('C')}; write .tif instead")
    if nbytes(new.shape, new.dtype) > MAX_BLOCK_BYTES:
        raise UsageError(f"{path}: an image of {new.nbytes} bytes is too large for PNG; write .tif")
    pixels = np.zeros(new.shape, new.dtype)

    def finish() -> None:
        from imagecodecs import png_encode

        path.write_bytes(png_encode(pixels))

    return ImageWriter(path, pixels, new.order(new.axes), finish)
