"""Writes TIFF region by region: ImageJ hyperstacks and OME-TIFF, uncompressed.

The file is made whole at once, pixels zero; regions then overwrite their part of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import tifffile

from scopezoo.errors import FileError, UsageError
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.formats.limits import reading
from scopezoo.formats.new_image import NewImage
from scopezoo.formats.raw_array import RawArray, reserve

CLASSIC_BYTES = 2**32 - 2**25
"""Pixels that fit into a TIFF with 32 bit offsets, beside its directories."""

IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
IMAGEJ_AXES = "TZC"
IMAGEJ_COMPOSITE_CHANNELS = 7
OME_DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


def create_tiff(path: Path, new: NewImage, resume: bool) -> ImageWriter:
    """An ImageJ hyperstack or OME-TIFF, as `create_image` says."""
    stored_axes = new.axes.replace("Y", "").replace("X", "") + "YX"
    shape = new.stored_shape(stored_axes)
    resumed = resume and path.exists()
    if not resumed:
        _make(path, new, stored_axes, shape)
    pixels = _find_pixels(path, shape, new.dtype)
    return ImageWriter(path, pixels, new.order(stored_axes), resumed=resumed)


def _make(path: Path, new: NewImage, stored_axes: str, shape: tuple[int, ...]) -> None:
    """Make the file under another name first: what has its own name is whole."""
    if _is_imagej(path, new, stored_axes):
        options = _imagej_options(new, stored_axes)
    else:
        options = _ome_options(path, new, stored_axes)
    draft = path.with_name(f"{path.name}.new")
    try:
        tifffile.imwrite(
            draft,
            shape=shape,
            dtype=new.dtype,
            photometric="minisblack",
            byteorder="<",
            software="scopezoo",
            **options,
        )
        reserve(draft, draft.stat().st_size)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _is_imagej(path: Path, new: NewImage, stored_axes: str) -> bool:
    """Whether ImageJ's own form holds all that is known: it cannot say the size of X alone."""
    known = new.pixel_size_um.keys()
    ordered = [IMAGEJ_AXES.index(axis) for axis in stored_axes[:-2]]
    return (
        new.dtype.name in IMAGEJ_DTYPES
        and new.nbytes < CLASSIC_BYTES
        and ordered == sorted(ordered)
        and (not known or {"X", "Y"} <= known)
        and new.size("X") > 1  # tifffile takes a width of 1 for a sample axis and drops it
        and not path.name.lower().endswith((".ome.tif", ".ome.tiff"))
    )


def _imagej_options(new: NewImage, stored_axes: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": stored_axes}
    options: dict[str, Any] = {"imagej": True, "metadata": metadata}
    if 1 < new.size("C") <= IMAGEJ_COMPOSITE_CHANNELS:
        metadata["mode"] = "composite"
    if new.pixel_size_um:
        metadata["unit"] = "um"
        options["resolution"] = 1 / new.pixel_size_um["X"], 1 / new.pixel_size_um["Y"]
        options["resolutionunit"] = "none"
    if "Z" in new.pixel_size_um:
        metadata["spacing"] = new.pixel_size_um["Z"]
    if new.frame_interval_s is not None:
        metadata["finterval"] = new.frame_interval_s
    if new.channel_names:
        metadata["channel_names"] = json.dumps(new.channel_names)
        if "C" in stored_axes:
            # C is the fastest of ImageJ's axes
            metadata["Labels"] = [*new.channel_names] * (new.size("T") * new.size("Z"))
    return options


def _ome_options(path: Path, new: NewImage, stored_axes: str) -> dict[str, Any]:
    if new.dtype.name not in OME_DTYPES:
        raise UsageError(f"{path}: TIFF cannot hold {new.dtype}; write .ome.zarr or .npy instead")
    # a file needs its own identifier, and the same content the same bytes
    identifier = uuid5(NAMESPACE_OID, repr((new.shape, new.dtype.str, stored_axes)))
    metadata: dict[str, Any] = {
        "axes": stored_axes,
        "Creator": "scopezoo",
        "UUID": f"urn:uuid:{identifier}",
        "Name": "image",
    }
    for axis, size in new.pixel_size_um.items():
        metadata[f"PhysicalSize{axis}"] = size
        metadata[f"PhysicalSize{axis}Unit"] = "µm"
    if new.frame_interval_s is not None:
        metadata["TimeIncrement"] = new.frame_interval_s
        metadata["TimeIncrementUnit"] = "s"
    if new.channel_names:
        metadata["Channel"] = {"Name": list(new.channel_names)}
    return {"ome": True, "metadata": metadata, "bigtiff": new.nbytes >= CLASSIC_BYTES}


def _find_pixels(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> RawArray:
    with reading(str(path)), tifffile.TiffFile(path) as tif:
        series = tif.series[0]
        found = [size for size in series.shape if size > 1], series.dtype
        offset = series.dataoffset
        stored = dtype.newbyteorder(tif.byteorder)
    if found != ([size for size in shape if size > 1], dtype) or offset is None:
        raise FileError(f"{path} is another image than the one to go on with; remove it")
    return RawArray(path, offset, shape, stored)
