"""What a TIFF says about its pixels' size, its frame interval, and its channels."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from scopezoo.formats.units import to_micrometres, to_seconds

if TYPE_CHECKING:
    from tifffile import TiffPage, TiffPageSeries

MAX_MICROSCOPE_PIXEL_UM = 20.0
"""In a TIFF of no microscopy software, a larger pixel is that of a screen or a printer (300 dpi is
85 µm)."""

RESOLUTION_UNITS = {2: "inch", 3: "cm"}
RGB = ("red", "green", "blue")


@dataclass(frozen=True)
class Calibration:
    """Pixel size in µm by axis letter, frame interval in seconds, names of channels."""

    pixel_size_um: dict[str, float] = field(default_factory=dict)
    frame_interval_s: float | None = None
    channel_names: tuple[str, ...] = ()


def read_calibration(series: TiffPageSeries, index: int) -> Calibration:
    """What the file says of the series that is its `index`-th."""
    tif = series.parent
    page = series.keyframe
    if series.kind == "ome" and tif is not None and tif.ome_metadata:
        return ome_calibration(tif.ome_metadata, index)
    if tif is not None and tif.imagej_metadata is not None:
        channels = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
        resolution = {axis: resolution_of(page, axis) for axis in "YX"}
        return imagej_calibration(tif.imagej_metadata, resolution, channels)
    return Calibration(_plausible(page))


def ome_calibration(xml: str, index: int) -> Calibration:
    """From OME-XML (schema 2016-06), whose lengths are µm and times seconds unless it says else."""
    root = ElementTree.fromstring(xml)
    pixels = [
        element
        for element in root.iterfind("{*}Image/{*}Pixels")
        if element.get("SizeX") is not None
    ]
    if not pixels:
        return Calibration()
    chosen = pixels[min(index, len(pixels) - 1)]
    sizes = {axis: _ome_size(chosen, axis) for axis in "ZYX"}
    interval = to_seconds(chosen.get("TimeIncrement"), chosen.get("TimeIncrementUnit", "s"))
    return Calibration(
        {axis: size for axis, size in sizes.items() if size is not None},
        interval,
        _ome_channels(chosen),
    )


def _ome_size(pixels: ElementTree.Element, axis: str) -> float | None:
    value = pixels.get(f"PhysicalSize{axis}")
    unit = pixels.get(f"PhysicalSize{axis}Unit")
    size = to_micrometres(value, unit or "µm")
    # without a unit, 1 is what programs write that do not know
    return None if unit is None and size == 1.0 else size


def _ome_channels(pixels: ElementTree.Element) -> tuple[str, ...]:
    channels = pixels.findall("{*}Channel")
    names = [channel.get("Name", "") for channel in channels]
    return fill_names(names)


def fill_names(names: list[str]) -> tuple[str, ...]:
    """Channel names, "channel 1" for one that is missing; empty where all are."""
    if not any(names):
        return ()
    return tuple(name or f"channel {i}" for i, name in enumerate(names))


def imagej_calibration(
    metadata: dict[str, Any], pixels_per_unit: dict[str, float | None], channels: int
) -> Calibration:
    """From ImageJ's description, as its `FileSaver` writes it.

    It leaves out a Z spacing of 1: a stack without one may be 1 unit or uncalibrated, so not known.
    """
    unit = str(metadata.get("unit", ""))
    sizes: dict[str, float | None] = {"Z": _length(metadata, "spacing", "zunit", unit)}
    for axis, per_unit in pixels_per_unit.items():
        axis_unit = str(metadata.get(f"{axis.lower()}unit", unit))
        sizes[axis] = to_micrometres(1 / per_unit, axis_unit) if per_unit else None
    return Calibration(
        {axis: size for axis, size in sizes.items() if size is not None},
        to_seconds(metadata.get("finterval"), str(metadata.get("tunit", "s"))),
        _imagej_channels(metadata, channels),
    )


def _length(metadata: dict[str, Any], key: str, unit_key: str, unit: str) -> float | None:
    return to_micrometres(metadata.get(key), str(metadata.get(unit_key, unit)))


def _imagej_channels(metadata: dict[str, Any], channels: int) -> tuple[str, ...]:
    """Our own key, or slice labels where each channel has one that is not a slice's title."""
    try:
        names = json.loads(str(metadata.get("channel_names", "")))
    except ValueError:
        names = None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(names)
    labels = metadata.get("Labels")
    if not isinstance(labels, list) or channels < 2 or len(labels) % channels:
        return ()
    first = tuple(str(label) for label in labels[:channels])
    repeated = list(first) * (len(labels) // channels) == [str(label) for label in labels]
    return first if repeated and len(set(first)) == channels and all(map(_is_name, first)) else ()


def _is_name(label: str) -> bool:
    """Whether a slice label can name a channel: not "c:1/2 - scan.czi", a file, or a number."""
    return bool(label) and not re.search(r"\b[ctz]:\d+/\d+|\.\w{2,4}\b|^[\d\s.:/-]+$", label)


def resolution_of(page: TiffPage, axis: str) -> float | None:
    """Pixels per resolution unit along "Y" or "X", None where the tag is absent or nonsense."""
    tag: Any = page.tags.get(f"{axis}Resolution")
    try:
        numerator, denominator = tag.value
        value = numerator / denominator
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _plausible(page: TiffPage) -> dict[str, float]:
    tag = page.tags.get("ResolutionUnit")
    unit = RESOLUTION_UNITS.get(int(tag.value)) if tag is not None else None
    sizes: dict[str, float] = {}
    for axis in "YX":
        per_unit = resolution_of(page, axis)
        size = to_micrometres(1 / per_unit, unit) if per_unit else None
        if size is not None and size <= MAX_MICROSCOPE_PIXEL_UM:
            sizes[axis] = size
    return sizes
