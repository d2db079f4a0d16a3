"""Reads OME-Zarr 0.4 (Zarr 2) and 0.5 (Zarr 3) from a folder or a URL, level by level.

https://ngff.openmicroscopy.org/0.5/: a group with `multiscales`. A translation is not used, a
scale is that of the level and of the whole multiplied. Of several multiscales the first is read, of
a collection that bioformats2raw wrote the first series.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np

from scopezoo.errors import ImageError, MissingDependencyError, UsageError
from scopezoo.formats import limits
from scopezoo.formats.naming import name_axes
from scopezoo.formats.tiff_calibration import fill_names
from scopezoo.formats.units import to_micrometres, to_seconds
from scopezoo.formats.view import View
from scopezoo.image import Image, LazyArray


def open_ome_zarr(path: str | Path, axes: str | None, level: int) -> Image:
    """One resolution level of an OME-Zarr image, 0 the full one.

    Raises ImageError for what is no OME-Zarr image, UsageError for a level that it lacks,
    MissingDependencyError for a URL where the extra `remote` is not installed.
    """
    source = limits.short_name(path)
    if "://" in str(path) and not (find_spec("fsspec") and find_spec("aiohttp")):
        raise MissingDependencyError("Reading an image from a URL", "remote")
    with limits.reading(source):
        return _level(source, _image_group(source, str(path)), axes, level)


def open_ome_zarr_in(store: Any, folder: str, source: str, level: int) -> Image:
    """The same for an image in the folder of an open Zarr store, a zip's for example.

    `source` is what messages call it.
    """
    with limits.reading(source):
        return _level(source, _image_group(source, store, folder), None, level)


def _level(source: str, found: tuple[Any, dict[str, Any]], axes: str | None, level: int) -> Image:
    group, metadata = found
    multiscale = metadata["multiscales"][0]
    datasets = multiscale["datasets"]
    if not 0 <= level < len(datasets):
        raise UsageError(f"{source} has no level {level}: it has 0 to {len(datasets) - 1}")
    pixels = group[datasets[level]["path"]]
    _check_chunks(source, pixels)
    return _image(source, pixels, multiscale, level, metadata.get("omero", {}), axes)


def _image_group(source: str, store: Any, folder: str = "") -> tuple[Any, dict[str, Any]]:
    """The group that has `multiscales`, and its OME metadata."""
    import zarr

    try:
        group: Any = zarr.open_group(store, path=folder, mode="r")
    except FileNotFoundError as error:
        raise ImageError(f"{source} is no OME-Zarr: there is no Zarr group in it") from error
    metadata = _ome_metadata(group)
    if "multiscales" not in metadata and "bioformats2raw.layout" in metadata:
        group = group["0"]
        metadata = _ome_metadata(group)
    if metadata.get("multiscales"):
        return group, metadata
    if "plate" in metadata or "well" in metadata:
        raise ImageError(
            f"{source} is a plate or a well; give one image in it, e.g. {source}/A/1/0"
        )
    if metadata.get("labels"):
        raise ImageError(
            f"{source} is a folder of labels; give one: {source}/{metadata['labels'][0]}"
        )
    raise ImageError(f"{source} is a Zarr group without OME-Zarr multiscales; expected 0.4 or 0.5")


def _ome_metadata(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    return cast(dict[str, Any], attributes.get("ome", attributes))


def _check_chunks(source: str, pixels: Any) -> None:
    if not hasattr(pixels, "chunks"):
        raise ImageError(f"{source} is damaged: a level of its multiscales is no array")
    limits.pixel_dtype(source, pixels.dtype)
    limits.check_block(source, "chunk", limits.nbytes(pixels.chunks, pixels.dtype))


def _image(
    source: str,
    pixels: LazyArray,
    multiscale: dict[str, Any],
    level: int,
    omero: dict[str, Any],
    wanted: str | None,
) -> Image:
    described = _axes(source, multiscale, len(pixels.shape))
    found = "".join(_letter(axis) for axis in described)
    letters, kept = name_axes(source, tuple(pixels.shape), found, wanted)
    scale = _scale(multiscale, level, len(described))
    by_letter = {letter: (scale[i], described[i].get("unit")) for i, letter in enumerate(found)}
    sizes = {axis: to_micrometres(*by_letter[axis]) for axis in "ZYX" if axis in by_letter}
    view = View(pixels, kept, source)
    names = fill_names([str(channel.get("label") or "") for channel in omero.get("channels", [])])
    channels = view.shape[letters.index("C")] if "C" in letters else 1
    return Image(
        view,
        letters,
        {axis: size for axis, size in sizes.items() if size is not None and axis in letters},
        to_seconds(*by_letter["T"]) if "T" in letters and "T" in by_letter else None,
        names if len(names) == channels else (),
        source,
    )


def _axes(source: str, multiscale: dict[str, Any], ndim: int) -> list[dict[str, Any]]:
    """Axes as 0.4 and 0.5 describe them; 0.3 had only names, and before all images were TCZYX."""
    axes = multiscale.get("axes", list("tczyx"))
    if len(axes) != ndim:
        raise ImageError(
            f"{source} is damaged: its multiscales name {len(axes)} axes, its array has {ndim}"
        )
    return [{"name": axis} if isinstance(axis, str) else dict(axis) for axis in axes]


def _letter(axis: dict[str, Any]) -> str:
    name = str(axis.get("name", "?")).upper()
    if len(name) == 1:
        return name
    return {"time": "T", "channel": "C"}.get(str(axis.get("type")), "?")


def _scale(multiscale: dict[str, Any], level: int, ndim: int) -> np.ndarray[Any, Any]:
    scale = np.ones(ndim)
    of_level = multiscale["datasets"][level].get("coordinateTransformations", [])
    for transformation in [*of_level, *multiscale.get("coordinateTransformations", [])]:
        if transformation.get("type") == "scale" and "scale" in transformation:
            scale = scale * np.asarray(transformation["scale"], float)
    return scale
