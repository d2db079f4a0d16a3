"""Images to learn one image from another on the same pixels: normalised, and patches of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import Pair
from scopezoo.datasets.split import Part
from scopezoo.models.pairs import CELL_UM, Levels, PairSource
from scopezoo.models.recipe import ImageRecipe

BRIGHT_PERCENTILE = 90
"""Of the smoothed image: where patches with something in them lie."""
SMOOTHING_PX = 3
MOST_PLACES = 5000

Stack = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """What is normalised as one: a stack, or a plane of one; float32 ZYX, `places` N × 3.

    `target` is None for a method that needs none. `places` are some of the bright ones.
    """

    name: str
    source: Stack
    target: Stack | None
    places: NDArray[np.intp]


def read_samples(recipe: ImageRecipe, data: Path, part: Part) -> list[Sample]:
    """All samples of a part, in memory.

    Noise2Void reads no target. Raises what `Dataset.open` and `Dataset.pairs_of` raise.
    """
    source = PairSource(data, part, recipe.normalisation)
    found = []
    for pair in source.pairs:
        stack, target = read_pair(recipe, source, pair)
        for number, inside in enumerate(normalised_as_one(recipe, len(stack))):
            wanted = None if target is None else target[inside]
            found.append(_sample(recipe, f"{pair.id}-{number}", stack[inside], wanted))
    return found


def normalised_as_one(recipe: ImageRecipe, planes: int) -> list[slice]:
    """The planes of each sample: one by one for a 2D network, all together for a 3D one."""
    return [slice(0, planes)] if recipe.is_3d else [slice(z, z + 1) for z in range(planes)]


def read_pair(recipe: ImageRecipe, source: PairSource, pair: Pair) -> tuple[Stack, Stack | None]:
    """Raw source, and what is wanted for it on its own grid, both ZYX.

    CARE wants the target on the grey levels of the source.
    """
    if recipe.training.method == "noise2void":
        gridded = source.gridded(pair, "source")
        depth, height, width = (slice(0, size) for size in gridded.shape)
        return gridded.read((depth, height, width)), None
    field = source.field(pair)
    if recipe.training.method == "fnet":
        return field.source, field.target
    voxel_um = source.gridded(pair, "source").voxel_um
    return field.source, on_levels_of(field.source, field.target, voxel_um)


def on_levels_of(
    source: Stack, target: NDArray[Any], voxel_um: tuple[float, float, float]
) -> Stack:
    """The target on the line that makes it most like the source in means over cells of 1 µm.

    Single pixels would not do: the target has noise as well, and would come out too flat.
    """
    from skimage.measure import block_reduce

    cell = tuple(
        min(size, max(1, round(CELL_UM / um)))
        for size, um in zip(source.shape, voxel_um, strict=True)
    )
    whole = tuple(slice(0, n // px * px) for n, px in zip(source.shape, cell, strict=True))
    low, high = (
        block_reduce(stack[whole], cell, np.mean).ravel().astype(np.float64)  # type: ignore[no-untyped-call]
        for stack in (source, target)
    )
    slope, offset = np.polyfit(high, low, 1)
    return np.asarray(slope * target + offset, dtype=np.float32)


def _sample(recipe: ImageRecipe, name: str, stack: Stack, target: Stack | None) -> Sample:
    levels = Levels.of(stack, recipe.normalisation)
    source = levels.apply(stack)
    if target is not None:
        own = recipe.training.method == "fnet"
        target = (Levels.of(target, recipe.normalisation) if own else levels).apply(target)
    return Sample(name, source, target, bright_places(source if target is None else target))


def bright_places(stack: Stack) -> NDArray[np.intp]:
    """Some voxels (N × z, y, x) of the brightest tenth of the smoothed stack; the same each time.

    In raw grey levels the brightest are noise.
    """
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(stack, (1, SMOOTHING_PX, SMOOTHING_PX))
    places = np.argwhere(smooth >= np.percentile(smooth, BRIGHT_PERCENTILE))
    return places[:: max(1, len(places) // MOST_PLACES)]


def draw_patch(
    sample: Sample,
    size: tuple[int, int, int],
    margin: int,
    rng: np.random.Generator,
    *,
    on_bright: bool,
) -> tuple[Stack, Stack | None]:
    """A patch of the source with `margin` planes more at both ends, and one of the target, ZYX.

    `size` is the target's. Beyond the first and last plane there are copies of them, as there are
    when a network runs. A sample smaller than the patch is mirrored.
    """
    start = _corner(sample, size, rng, on_bright=on_bright)
    target = None if sample.target is None else _cut(sample.target, start, size, 0)
    return _cut(sample.source, start, size, margin), target


def _corner(
    sample: Sample, size: tuple[int, int, int], rng: np.random.Generator, *, on_bright: bool
) -> NDArray[np.intp]:
    room = np.maximum(np.subtract(sample.source.shape, size), 0)
    if not on_bright:
        return np.asarray(rng.integers(0, room, endpoint=True))
    place = sample.places[rng.integers(len(sample.places))]
    return np.asarray(np.clip(place - rng.integers(size), 0, room))


def _cut(stack: Stack, start: NDArray[np.intp], size: tuple[int, int, int], margin: int) -> Stack:
    z, y, x = (int(first) for first in start)
    planes = np.clip(np.arange(z - margin, z + size[0] + margin), 0, len(stack) - 1)
    cut = stack[planes, y : y + size[1], x : x + size[2]]
    lacking = [(0, 0)] + [
        (0, want - have) for want, have in zip(size[1:], cut.shape[1:], strict=True)
    ]
    return np.pad(cut, lacking, mode="symmetric") if np.any(lacking) else cut
