"""The table of objects: one CSV row for each, by scikit-image's regionprops."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isclose
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.image import Image
from scopezoo.predict.objects import WINDOW_PX, Window, frames, object_windows, read_as
from scopezoo.predict.whole_file import whole_file


@dataclass(frozen=True)
class _Object:
    label: int
    position: dict[str, int]
    start: tuple[int, ...]
    region: Any  # skimage's RegionProperties, which has no public name
    values: NDArray[Any]  # intensities, (pixel, channel)

    @cached_property
    def centroid_px(self) -> NDArray[np.float64]:
        # In whole numbers until the last step, so that the window it is read in changes nothing.
        local = np.argwhere(self.region.image).sum(axis=0)
        corner = np.asarray(self.start) + self.region.bbox[: len(self.start)]
        count = int(self.region.num_pixels)
        mean: NDArray[np.float64] = (local + count * corner) / count
        return mean


_Column = tuple[str, Callable[[_Object], float | int]]


def write_table(
    labels: Image,
    intensity: Image | None,
    path: Path,
    *,
    ndim: Literal[2, 3] = 2,
    window_px: int = WINDOW_PX,
) -> int:
    """Write one CSV row per object of a label image, and return how many there are.

    `ndim` 2 measures each plane of a stack by itself; 3 takes an object through Z. Columns `t` and
    `z` say the frame and plane, from 0, where the labels have the axis. Centroids are those of
    pixel centres, the first of which is at 0; `bbox_…_max_px` is the first pixel past the object.
    Lengths are in µm where the pixel size is known along all axes of the object and else in
    pixels, as the column's name says; `perimeter` also needs a pixel as wide as high. Axes are
    those of the ellipse or ellipsoid with the same second moments. `solidity` is nan for a flat
    object in 3D, which has no convex hull.

    Memory grows with `window_px` (a window of labels and intensities), with the largest single
    object and with the number of objects in one frame, not with the image.

    Raises UsageError where labels and intensity do not fit each other, FileError if the file
    cannot be written.
    """
    if intensity is not None:
        _check_same_grid(labels, intensity)
    found = 0
    columns = _columns(labels, intensity, ndim)
    spacing = _spacing(labels, "ZYX"[-ndim:])
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(name for name, _ in columns)
        for frame in frames(labels, ndim):
            rows = [
                (thing.label, ",".join(_text(measure(thing)) for _, measure in columns))
                for window in object_windows(frame, window_px)
                for thing in _objects(window, intensity, spacing)
            ]
            rows.sort()
            file.writelines(f"{row}\n" for _, row in rows)
            found += len(rows)
    return found


def _check_same_grid(labels: Image, intensity: Image) -> None:
    for axis in "TZYX":
        if labels.size(axis) != intensity.size(axis):
            raise UsageError(
                f"{labels.source} has {labels.size(axis)} pixels along {axis} and "
                f"{intensity.source} {intensity.size(axis)}: to measure intensities they must "
                "be the same"
            )


def _spacing(labels: Image, axes: str) -> tuple[float, ...] | None:
    """The pixel size in µm, or None if it is unknown along one of the axes."""
    if all(axis in labels.pixel_size_um for axis in axes):
        return tuple(labels.pixel_size_um[axis] for axis in axes)
    return None


def _objects(
    window: Window, intensity: Image | None, spacing: tuple[float, ...] | None
) -> Iterator[_Object]:
    from skimage.measure import regionprops

    axes = window.frame.axes
    pixels = np.empty((*window.numbers.shape, 0))
    if intensity is not None:
        pixels = read_as(intensity, axes + "C", window.region)
    regions = regionprops(window.numbers, spacing=spacing)  # type: ignore[no-untyped-call]
    for region in regions:
        yield _Object(
            int(window.labels[region.label - 1]),
            window.frame.position,
            window.start,
            region,
            pixels[region.slice][region.image],
        )


def _columns(labels: Image, intensity: Image | None, ndim: Literal[2, 3]) -> list[_Column]:
    axes = "ZYX"[-ndim:]
    stacked = [axis for axis in ("TZ" if ndim == 2 else "T") if axis in labels.axes]
    return [
        ("label", lambda thing: thing.label),
        *((axis.lower(), _position(axis)) for axis in stacked),
        *_place(labels, axes),
        *_size(labels, axes),
        *_shape(labels, axes),
        *_brightness(intensity),
    ]


def _position(axis: str) -> Callable[[_Object], int]:
    return lambda thing: thing.position[axis]


def _place(labels: Image, axes: str) -> Iterator[_Column]:
    def centroid(index: int, scale: float) -> Callable[[_Object], float]:
        return lambda thing: float(thing.centroid_px[index]) * scale

    def edge(index: int) -> Callable[[_Object], int]:
        return lambda thing: int(thing.region.bbox[index]) + thing.start[index % len(axes)]

    names = axes.lower()
    for index, name in enumerate(names):
        yield f"centroid_{name}_px", centroid(index, 1.0)
    for index, axis in enumerate(axes):
        if axis in labels.pixel_size_um:
            yield f"centroid_{axis.lower()}_um", centroid(index, labels.pixel_size_um[axis])
    for index, name in enumerate(names):
        yield f"bbox_{name}_min_px", edge(index)
    for index, name in enumerate(names):
        yield f"bbox_{name}_max_px", edge(index + len(axes))


def _size(labels: Image, axes: str) -> Iterator[_Column]:
    name, power = ("area", "2") if len(axes) == 2 else ("volume", "3")
    yield f"{name}_px", lambda thing: int(thing.region.num_pixels)
    if _spacing(labels, axes):
        yield f"{name}_um{power}", lambda thing: float(thing.region.area)


def _shape(labels: Image, axes: str) -> Iterator[_Column]:
    unit = "um" if _spacing(labels, axes) else "px"
    yield f"equivalent_diameter_{unit}", lambda thing: thing.region.equivalent_diameter_area
    yield f"major_axis_{unit}", lambda thing: thing.region.axis_major_length
    yield f"minor_axis_{unit}", lambda thing: thing.region.axis_minor_length
    yield "solidity", _solidity
    if len(axes) == 2:
        yield "eccentricity", lambda thing: thing.region.eccentricity
        yield _perimeter(labels)


def _solidity(thing: _Object) -> float:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Failed to get convex hull")
        hull = float(thing.region.area_convex)
    return float(thing.region.area) / hull if hull else np.nan


def _perimeter(labels: Image) -> _Column:
    spacing = _spacing(labels, "YX")
    if spacing is None or not isclose(spacing[0], spacing[1], rel_tol=1e-3):
        return "perimeter_px", _perimeter_px
    pixel_um = sum(spacing) / 2
    return "perimeter_um", lambda thing: _perimeter_px(thing) * pixel_um


def _perimeter_px(thing: _Object) -> float:
    from skimage.measure import perimeter

    return float(perimeter(thing.region.image, 4))  # type: ignore[no-untyped-call]


def _brightness(intensity: Image | None) -> Iterator[_Column]:
    def statistic(
        channel: int, of: Callable[[NDArray[Any]], Any]
    ) -> Callable[[_Object], float | int]:
        return lambda thing: of(thing.values[:, channel]).item()

    if intensity is None:
        return
    channels = intensity.size("C")
    names = intensity.channel_names
    if channels > 1 and len(set(names)) < channels:
        names = tuple(str(channel) for channel in range(channels))
    for channel in range(channels):
        suffix = f"_{names[channel]}" if names else ""
        yield f"intensity_mean{suffix}", statistic(channel, _mean)
        yield f"intensity_min{suffix}", statistic(channel, np.min)
        yield f"intensity_max{suffix}", statistic(channel, np.max)
        yield f"intensity_std{suffix}", statistic(channel, _std)


def _mean(values: NDArray[Any]) -> Any:
    return np.mean(values, dtype=np.float64)


def _std(values: NDArray[Any]) -> Any:
    with np.errstate(invalid="ignore"):
        return np.std(values, dtype=np.float64)


def _text(value: float | int) -> str:
    return str(int(value)) if isinstance(value, int) else f"{value:.8g}"
