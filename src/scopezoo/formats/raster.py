"""Reads PNG, JPEG and NPY."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import ImageError
from scopezoo.formats import limits
from scopezoo.formats.naming import name_axes
from scopezoo.formats.raw_array import RawArray
from scopezoo.formats.tiff_calibration import RGB
from scopezoo.formats.view import View
from scopezoo.image import Image

# SOF0 to SOF15 without DHT, JPG and DAC (ITU T.81, table B.1)
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def open_png(path: Path, axes: str | None) -> Image:
    """Grey as YX, colour as YXC with the channels red, green and blue; alpha is dropped."""
    source = limits.short_name(path)
    with limits.reading(source):
        data = path.read_bytes()
        if data[12:16] != b"IHDR":
            raise ImageError(f"{source} is no PNG: it does not start with its header")
        width, height, depth, _colour = struct.unpack(">IIBB", data[16:26])
        _check_raster(source, width * height * 4 * max(1, depth // 8), len(data))

        from imagecodecs import png_decode

        return _raster_image(source, png_decode(data), axes)


def open_jpeg(path: Path, axes: str | None) -> Image:
    """Grey as YX, colour as YXC; the rotation that a camera notes beside is not applied."""
    source = limits.short_name(path)
    with limits.reading(source):
        data = path.read_bytes()
        height, width, components = _jpeg_size(source, data)
        if components not in (1, 3):
            raise ImageError(f"{source} has {components} colours; expected grey or RGB")
        _check_raster(source, height * width * components, len(data))

        from imagecodecs import jpeg8_decode

        return _raster_image(source, jpeg8_decode(data), axes)


def open_npy(path: Path, axes: str | None) -> Image:
    """An array without names of axes: 2D is YX, 3D with 3 or 4 last is YXC, else `axes` says."""
    source = limits.short_name(path)
    with limits.reading(source):
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(mapped, np.memmap):
            raise ImageError(f"{source} holds no array")
        if not mapped.size:
            raise ImageError(f"{source} is empty: its shape is {mapped.shape}")
        letters, kept = name_axes(source, mapped.shape, "?" * mapped.ndim, axes)
        shape, order = mapped.shape, kept
        if not mapped.flags.c_contiguous:
            shape, order = shape[::-1], tuple(mapped.ndim - 1 - axis for axis in kept)
        raw = RawArray(path, int(mapped.offset), shape, mapped.dtype)
        return Image(View(raw, order, source), letters, source=source)


def _check_raster(source: str, decoded_bytes: int, stored_bytes: int) -> None:
    limits.check_block(source, "picture", decoded_bytes)
    limits.check_ratio(source, decoded_bytes, stored_bytes)


def _jpeg_size(source: str, data: bytes) -> tuple[int, int, int]:
    """Height, width and number of components, from the frame header (ITU T.81, B.2.2)."""
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF:
        marker, length = struct.unpack(">xBH", data[position : position + 4])
        if marker in JPEG_FRAMES:
            height, width, components = struct.unpack(">HHB", data[position + 5 : position + 10])
            return height, width, components
        # a fill byte stands alone
        position += 1 if marker == 0xFF else 2 + length
    raise ImageError(f"{source} is truncated or damaged: it has no JPEG frame header")


def _raster_image(source: str, pixels: NDArray[Any], axes: str | None) -> Image:
    if pixels.ndim == 3:
        pixels = pixels[..., :3] if pixels.shape[-1] > 2 else pixels[..., 0]
    letters, kept = name_axes(source, pixels.shape, "YXC"[: pixels.ndim], axes)
    names = RGB if letters == "YXC" else ()
    return Image(View(pixels, kept, source), letters, channel_names=names, source=source)
