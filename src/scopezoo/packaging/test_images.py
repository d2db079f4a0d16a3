"""Test inputs: cut from an image file, or simulated with a fixed seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import FileError, MissingDependencyError
from scopezoo.packaging.metadata import InputImage

SEED = 2026
SHIPPED = {
    "stardist_nuclei_2d": (
        "stardist",
        "data/images/img2d.tif",
        "YX",
        "the nuclei image that the Python package stardist ships (BSD-3-Clause), a field of the "
        "2018 Data Science Bowl (Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7)",
    )
}
"""Images of libraries: library, path in it, axes, and what the card says of it."""


def make_test_pixels(
    test: InputImage, axes: str, sizes: Mapping[str, int], folder: Path
) -> NDArray[Any]:
    """Pixels in the layout `axes` (letters, batch and channel included) of the given sizes.

    `folder` is where the image file's path starts. Raises FileError where the image is missing,
    smaller than the test input, or lacks an axis of it; MissingDependencyError where a library that
    ships it is not installed.
    """
    shape = [sizes[letter] for letter in axes]
    if test.simulate is not None:
        return _simulated(test.simulate, axes, shape)
    pixels, found_axes = _opened(test, folder)
    return _cut(pixels, found_axes, axes, shape, str(test.image or test.shipped))


def credit(test: InputImage) -> str:
    """What the card says of where the test input is from."""
    if test.simulate is not None:
        return f"simulated by scopezoo ({test.simulate}, seed {SEED})"
    if test.shipped is not None:
        return f"a crop of {SHIPPED[test.shipped][3]}"
    return str(test.credit)


def _opened(test: InputImage, folder: Path) -> tuple[NDArray[Any], str]:
    if test.shipped is not None:
        import tifffile

        library, name, axes, _ = SHIPPED[test.shipped]
        spec = find_spec(library)
        if spec is None or spec.origin is None:
            raise MissingDependencyError("the test image of this model", library)
        return np.asarray(tifffile.imread(Path(spec.origin).parent / name)), axes
    from scopezoo.formats import open_image

    assert test.image is not None
    image = open_image(folder / test.image)
    return image.read(), image.axes


def _cut(
    pixels: NDArray[Any], found: str, axes: str, shape: Sequence[int], name: str
) -> NDArray[Any]:
    """The middle of an image in another axis order; T and C start at 0."""
    wanted = {letter.upper(): size for letter, size in zip(axes, shape, strict=True)}
    missing = [a for a, size in wanted.items() if a not in found and a != "B" and size > 1]
    small = [
        f"{axis} {size}"
        for axis, size in zip(found, pixels.shape, strict=True)
        if size < wanted.get(axis, 1)
    ]
    if missing or small:
        need = ", ".join(f"{axis} {size}" for axis, size in wanted.items())
        raise FileError(
            f"the test image {name} has {found} {pixels.shape}; expected at least {need}"
        )
    region = []
    for axis, size in zip(found, pixels.shape, strict=True):
        length = wanted.get(axis, 1)
        start = (size - length) // 2 if axis in "ZYX" else 0
        region.append(slice(start, start + length))
    cut = pixels[tuple(region)]
    kept = [axis for axis in found if axis in wanted]
    cut = cut.reshape([wanted[axis] for axis in kept])
    order = [axis for axis in wanted if axis in kept]
    return cut.transpose([kept.index(axis) for axis in order]).reshape(shape)


def _simulated(kind: str, axes: str, shape: Sequence[int]) -> NDArray[np.uint16]:
    """Bright spots or nuclei on a dark background with photon noise, 16 bit; same each time."""
    space = [i for i, letter in enumerate(axes) if letter in "zyx"]
    others = [i for i in range(len(axes)) if i not in space]
    field = [shape[i] for i in space]
    rng = np.random.default_rng(SEED)
    planes = [
        rng.poisson(20 + _objects(kind, field, rng)) for _ in range(prod(shape[i] for i in others))
    ]
    stacked = np.stack(planes).reshape([shape[i] for i in others] + field)
    ordered = np.moveaxis(stacked, range(len(axes)), others + space)
    return np.ascontiguousarray(ordered.astype(np.uint16))


def _objects(kind: str, field: Sequence[int], rng: np.random.Generator) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    spacing_px, radius_px = {"spots": (14, 0.5), "nuclei": (36, 9)}[kind]
    count = max(3, round(prod(field[-2:]) / spacing_px**2))
    grid = np.indices(field, dtype=np.float32)
    image = np.zeros(field)
    for _ in range(count):
        centre = [rng.uniform(0, size) for size in field]
        radii = rng.uniform(0.75, 1.25, len(field)) * max(radius_px, 0.8)
        distance = sum(
            ((axis - c) / r) ** 2 for axis, c, r in zip(grid, centre, radii, strict=True)
        )
        image[np.asarray(distance) < 1] = rng.uniform(100, 300)
    blurred: NDArray[np.float64] = gaussian_filter(image, 1.2)
    return blurred
