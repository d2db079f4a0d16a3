"""What is missing or contradictory about one image of a pair, before its pixels are copied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from scopezoo.datasets.paired.manifest import VoxelSize
from scopezoo.datasets.paired.metadata import SideMetadata
from scopezoo.datasets.paired.pixels import PixelSummary
from scopezoo.errors import IncompatibleImageError, UsageError
from scopezoo.formats import open_image
from scopezoo.image import Image

SAME_RELATIVE = 0.01
"""Voxel sizes that differ by less are one."""
PLAUSIBLE_UM = {"Z": (0.01, 100.0), "Y": (0.005, 20.0), "X": (0.005, 20.0)}
UNIT_FACTORS = (1e3, 1e4, 1e6, 25_400.0, 2.54)
"""Between the units that lengths are given in (nm, µm, mm, cm, inch)."""
DEEPER_THAN_WIDE = 2.0
Voxel = tuple[float | None, float, float]


def opened(path: Path, side: SideMetadata) -> tuple[Image, list[str]]:
    """The image with its voxel size completed, and everything that is wrong with it.

    Raises what `open_image` does.
    """
    image = open_image(path, axes=side.axes)
    problems = _shape_problems(image) + _channel_problems(image, side)
    sizes = dict(image.pixel_size_um)
    unknown = []
    for axis in spatial_axes(image):
        said = getattr(side.voxel_size_um, axis.lower()) if side.voxel_size_um else None
        found = sizes.get(axis)
        if said is None and found is None:
            unknown.append(axis)
        elif said is not None and found is not None and not alike(said, found):
            if not side.voxel_size_overrides:
                problems.append(_contradiction(axis, found, said))
            sizes[axis] = said
        elif found is None and said is not None:
            sizes[axis] = said
    if unknown:
        axes = " and ".join(unknown)
        problems.append(f"no pixel size along {axes} in the file, nor in voxel_size_um")
    completed = replace(image, pixel_size_um=sizes)
    return completed, problems + _size_problems(completed)


def spatial_axes(image: Image) -> str:
    """Axes whose pixel size matters."""
    return "".join(axis for axis in "ZYX" if axis in "YX" or image.size(axis) > 1)


def voxel_of(image: Image) -> Voxel:
    """Voxel size, z None for a plane."""
    z = image.pixel_size_um["Z"] if image.size("Z") > 1 else None
    return z, image.pixel_size_um["Y"], image.pixel_size_um["X"]


def usual_voxel(voxels: Sequence[Voxel]) -> Voxel | None:
    """The voxel size that most images of a microscope have."""
    rounded = Counter(
        tuple(None if v is None else float(f"{v:.3g}") for v in one) for one in voxels
    )
    if not rounded:
        return None
    most = rounded.most_common(1)[0][0]
    return next(one for one in voxels if voxels_alike(one, most))  # type: ignore[arg-type]


def voxels_alike(first: Voxel, second: Voxel) -> bool:
    """Whether two voxel sizes are one."""
    return all(a is None or b is None or alike(a, b) for a, b in zip(first, second, strict=True))


def unusual(voxel: Voxel, usual: Voxel) -> tuple[bool, str] | None:
    """How a voxel size differs from its microscope's usual one, and whether units must be mixed."""
    for axis, own, other in zip("zyx", voxel, usual, strict=True):
        if own is None or other is None or alike(own, other):
            continue
        mixed = unit_factor(own, other)
        hint = " as if units were mixed" if mixed else ""
        return mixed, f"voxel size along {axis} is {own:g} µm, that of most is {other:g} µm{hint}"
    return None


def middle_problem(image: Image) -> str | None:
    """What the middle plane shows to be wrong with the pixels; a blank one makes it read all."""
    depth = image.size("Z")
    middle = _summary(image, [depth // 2])
    if middle.not_finite:
        return "has pixels that are NaN or infinite; export it again, or fill them"
    if middle.problem() is None:
        return None
    return _summary(image, range(depth)).problem()


def as_voxel_size(voxel: Voxel) -> VoxelSize:
    return VoxelSize(z=voxel[0], y=voxel[1], x=voxel[2])


def alike(first: float, second: float) -> bool:
    return abs(first - second) <= SAME_RELATIVE * max(first, second)


def unit_factor(first: float, second: float) -> bool:
    """Whether two lengths differ as the same number in two units does."""
    ratio = max(first, second) / min(first, second)
    return any(abs(ratio - factor) <= SAME_RELATIVE * factor for factor in UNIT_FACTORS)


def _shape_problems(image: Image) -> list[str]:
    problems = []
    if image.size("T") > 1:
        problems.append(f"is a time series of {image.size('T')} frames; expected one: split it")
    depth, height, width = (image.size(axis) for axis in "ZYX")
    if depth > DEEPER_THAN_WIDE * max(height, width):
        problems.append(
            f"has {depth} planes of {height}×{width}: its axes look swapped; name them with `axes`"
        )
    return problems


def _channel_problems(image: Image, side: SideMetadata) -> list[str]:
    if side.channel is not None:
        try:
            image.channel_index(side.channel)
        except IncompatibleImageError as error:
            return [str(error)]
    elif image.size("C") > 1:
        names = ", ".join(image.channel_names) or f"0 to {image.size('C') - 1}"
        return [f"has {image.size('C')} channels ({names}), expected 1: name it with `channel`"]
    return []


def _contradiction(axis: str, found: float, said: float) -> str:
    hint = "; units look mixed" if unit_factor(found, said) else ""
    return (
        f"the file says {found:g} µm along {axis}, the metadata {said:g} µm{hint}; correct the "
        "wrong one, or set voxel_size_overrides if the files are wrong"
    )


def _size_problems(image: Image) -> list[str]:
    sizes = image.pixel_size_um
    problems = []
    for axis in spatial_axes(image):
        low, high = PLAUSIBLE_UM[axis]
        if axis in sizes and not low <= sizes[axis] <= high:
            problems.append(
                f"a pixel of {sizes[axis]:g} µm along {axis} is of no light microscope: its unit "
                "looks wrong"
            )
    if {"Y", "X"} <= sizes.keys() and not alike(sizes["Y"], sizes["X"]):
        hint = ": units look mixed" if unit_factor(sizes["Y"], sizes["X"]) else ""
        if hint or max(sizes["Y"], sizes["X"]) > 2 * min(sizes["Y"], sizes["X"]):
            problems.append(
                f"pixels are {sizes['Y']:g} µm along Y and {sizes['X']:g} µm along X{hint}"
            )
    return problems


def _summary(image: Image, planes: Sequence[int]) -> PixelSummary:
    summary = PixelSummary(np.dtype(image.dtype))
    for z in planes:
        summary.add(image.read(T=slice(0, 1), Z=slice(z, z + 1)))
    return summary


def check_same_grid(source: Image, target: Image) -> None:
    """Raise UsageError unless both have one shape and voxel size, as aligned pairs must."""
    shapes = [tuple(image.size(axis) for axis in "ZYX") for image in (source, target)]
    if shapes[0] != shapes[1] or not voxels_alike(voxel_of(source), voxel_of(target)):
        raise UsageError(
            f"source and target are said to be aligned, but are {shapes[0]} and {shapes[1]} pixels "
            f"of {voxel_of(source)} and {voxel_of(target)} µm (z, y, x)"
        )
