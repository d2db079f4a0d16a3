"""Reads TIFF: OME-TIFF, ImageJ hyperstacks, plain, BigTIFF, tiled, compressed, pyramids.

Of several images in one file the largest is read, the first of those that are equally large.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import tifffile
from numpy.typing import NDArray

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats import limits
from scopezoo.formats.naming import name_axes
from scopezoo.formats.raw_array import RawArray
from scopezoo.formats.tiff_calibration import RGB, Calibration, read_calibration
from scopezoo.formats.view import View
from scopezoo.image import Image, LazyArray

WHOLE_BYTES = 64 * limits.MIB
"""Compressed images up to this size are decoded at once; for larger ones zarr is imported."""

# what tifffile logs is either harmless or becomes an ImageError here
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def open_tiff(path: Path, axes: str | None, level: int) -> Image:
    """The image of a TIFF file; `level` counts a pyramid's resolutions, 0 is the full one."""
    source = limits.short_name(path)
    with limits.reading(source), tifffile.TiffFile(path) as tif:
        _check_description(source, tif)
        index, series = _largest(source, list(tif.series))
        shown = _at_level(source, series, level)
        _check_stored(source, shown)
        _check_planes(source, tif, series)
        calibration = read_calibration(series, index)
        pixels = _pixels(path, index, level, shown)
        return _image(source, series, shown, pixels, calibration, axes)


def _check_description(source: str, tif: tifffile.TiffFile) -> None:
    """Refuse XML that defines entities, and OME-XML that sends the reader to other folders."""
    text = tif.pages.first.description
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise ImageError(f"{source} has a DOCTYPE or ENTITY in its XML, which no image needs")
    for name in re.findall(r"""\bFileName\s*=\s*["']([^"']*)""", text):
        if re.search(r"[/\\:&]|^\.\.$", name):
            raise ImageError(
                f"{source} says that pixels are in {name!r}; expected a file of its own folder"
            )


def _largest(
    source: str, series: list[tifffile.TiffPageSeries]
) -> tuple[int, tifffile.TiffPageSeries]:
    images = [one for one in series if len(one.shape) >= 2 and one.size > 0]
    if not images:
        raise ImageError(f"{source} holds no image")
    largest = max(images, key=lambda one: one.size)
    return series.index(largest), largest


def _at_level(source: str, series: tifffile.TiffPageSeries, level: int) -> tifffile.TiffPageSeries:
    if not 0 <= level < len(series.levels):
        raise UsageError(f"{source} has no level {level}: it has 0 to {len(series.levels) - 1}")
    return series.levels[level]


def _check_stored(source: str, series: tifffile.TiffPageSeries) -> None:
    """Raise ImageError unless every page can be in its file and may be decoded."""
    limits.pixel_dtype(source, np.dtype(series.dtype))
    if series.dataoffset is not None:
        available = series.keyframe.parent.filehandle.size - series.dataoffset
        limits.check_stored(source, series.nbytes, available)
        return
    pages = list(series)
    missing = sum(page is None for page in pages)
    if missing:
        raise ImageError(
            f"{source} lacks {missing} of its {len(pages)} planes: it is truncated, or files that "
            "belong to it are missing"
        )
    stored = sum(_check_page(source, page) for page in pages)
    limits.check_ratio(source, series.nbytes, stored)


def _check_planes(source: str, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Raise ImageError where ImageJ wrote a stack and the file has but a part of it."""
    stated = (tif.imagej_metadata or {}).get("images", 1)
    if series.kind != "imagej" and isinstance(stated, int) and stated > len(tif.pages):
        raise ImageError(
            f"{source} is truncated or damaged: it says {stated} planes and has {len(tif.pages)}; "
            "copy or export it again"
        )


def _check_page(source: str, page: Any) -> int:
    """Bytes that the page takes in its file."""
    limits.check_block(source, "strip or tile", limits.nbytes(page.chunks, page.dtype))
    size = page.parent.filehandle.size
    stored = 0
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if offset + count > size:
            raise ImageError(
                f"{source} is truncated or damaged: pixels are said to lie at byte "
                f"{offset + count} of a file of {size}; copy or export it again"
            )
        stored += count
    keyframe = page.keyframe
    if keyframe.compression == 1 and not keyframe.is_subsampled:
        limits.check_stored(source, keyframe.size * keyframe.bitspersample // 8, stored)
    return stored


def _pixels(path: Path, index: int, level: int, series: tifffile.TiffPageSeries) -> LazyArray:
    dtype = np.dtype(series.dtype)
    if series.dataoffset is not None:
        stored = dtype.newbyteorder(series.keyframe.parent.byteorder)
        file = Path(series.keyframe.parent.filehandle.path)
        return RawArray(file, series.dataoffset, series.shape, stored)
    if series.nbytes <= WHOLE_BYTES:
        return WholeSeries(path, index, level, series.shape, dtype)
    return _zarr_pixels(path, index, level)


class WholeSeries:
    """A small compressed image, decoded as a whole when it is first sliced."""

    def __init__(
        self, path: Path, index: int, level: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._where = path, index, level
        self._decoded: NDArray[Any] | None = None
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        if self._decoded is None:
            path, index, level = self._where
            with tifffile.TiffFile(path) as tif:
                decoded = tif.series[index].levels[level].asarray()
            if decoded.shape != self.shape:
                raise ValueError(f"decoded to shape {decoded.shape}, expected {self.shape}")
            self._decoded = decoded
        return self._decoded[region]


def _zarr_pixels(path: Path, index: int, level: int) -> LazyArray:
    """Pixels that are decoded strip by strip or tile by tile, as slices need them."""
    import weakref

    import zarr

    store = tifffile.imread(path, aszarr=True, series=index, level=level)
    array = zarr.open_array(store, mode="r")
    weakref.finalize(array, store.close)
    return cast(LazyArray, array)


def _image(
    source: str,
    series: tifffile.TiffPageSeries,
    shown: tifffile.TiffPageSeries,
    pixels: LazyArray,
    calibration: Calibration,
    wanted: str | None,
) -> Image:
    found = _said_axes(shown)
    letters, kept = name_axes(source, tuple(shown.shape), found, wanted)
    sizes: dict[int, int] = {}
    names = calibration.channel_names
    samples = found.find("S")
    if samples >= 0 and wanted is None and shown.keyframe.photometric == 2:
        sizes = {samples: 3}
        names = RGB
    view = View(pixels, kept, source, sizes)
    ratio = dict(zip(found, np.divide(series.shape, shown.shape), strict=True))
    channels = view.shape[letters.index("C")] if "C" in letters else 1
    return Image(
        view,
        letters,
        {
            axis: size * float(ratio.get(axis, 1))
            for axis, size in calibration.pixel_size_um.items()
            if axis in letters
        },
        calibration.frame_interval_s if "T" in letters else None,
        names if len(names) == channels else (),
        source,
    )


def _said_axes(series: tifffile.TiffPageSeries) -> str:
    """Axes as the file names them; ImageJ shows a stack that says no more as Z."""
    axes = str(series.axes)
    if series.kind == "imagej" and "Z" not in axes:
        return axes.replace("I", "Z")
    return axes
