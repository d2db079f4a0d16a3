"""How good a restoration model is, beside what one has without it.

Scores are of scale-and-offset-matched images against what the better microscope would have shown
without noise, where a simulation's truth is given, else against what it did show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Manifest, Pair, Transform
from scopezoo.datasets.paired.sampling import GriddedImage, index_map, sampled_block
from scopezoo.errors import FileError, UsageError
from scopezoo.formats import open_image
from scopezoo.models.deconvolution import deconvolved
from scopezoo.models.fidelity import fidelity
from scopezoo.models.network import load_network
from scopezoo.models.pair_figures import comparison_figure
from scopezoo.models.pairs import Levels, PairField, PairSource, as_registered
from scopezoo.models.recipe import Normalisation, RestorationRecipe
from scopezoo.models.slices import SlicesUNet3d

CROP_PX = 160
"""Side of the square in the middle of what both microscopes saw that is scored."""
ITERATIONS = (10, 30, 100)
PSF_PX = 97
"""Side of the planes of the point spread function."""
LIKE, UNLIKE = "like training", "unlike training"
MODEL = "this model"
DECONVOLVED = "Richardson–Lucy, {} iterations"
NOT_SHOWN = {DECONVOLVED.format(ITERATIONS[0])}
"""In the picture, for want of room."""
FIGURES = ("psnr_db", "ssim", "micro_ssim", "nrmse", "pearson_r", "agreement_um")
FIGURE = "comparison.png"

Region = tuple[slice, slice, slice]
Stacks = dict[str, NDArray[np.float32]]
"""By name of the method, ZYX."""
Method = Callable[[NDArray[np.float32]], Stacks]
"""From a raw stack ZYX to what is made of it."""
PointSpread = Callable[[int], NDArray[np.float32]]
"""That of a stack of so many planes."""


@dataclass(frozen=True)
class Truth:
    """The `truth` folder of a simulated dataset."""

    folder: Path

    def aligned(self, dataset: Dataset) -> Manifest:
        """The manifest with the true transforms, whether or not a pair could be registered."""

        def moved(pair: Pair) -> Pair:
            transform = Transform(matrix=self._transform(pair))
            return pair.model_copy(update={"source_to_target": transform, "status": "registered"})

        return dataset.manifest.model_copy(update={"pairs": [moved(p) for p in dataset.pairs]})

    def _transform(self, pair: Pair) -> list[list[float]]:
        path = self.folder / f"{_file_name(pair)}.transform.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            matrix: list[list[float]] = content["matrix"]
        except (OSError, ValueError, KeyError) as error:
            raise FileError(f"{path} has no transform of {pair.id}: {error}") from error
        return matrix

    def field(self, pair: Pair, source: GriddedImage, found: PairField) -> PairField:
        """The same field with the noise-free target."""
        clean = open_image(self.folder / "target" / f"{_file_name(pair)}.ome.tif")
        target = GriddedImage.of(clean, pair.target)
        assert pair.source_to_target is not None  # of a registered pair
        where = index_map(pair.source_to_target, source, target, onto="source")
        z, y, x = (slice(0, size) for size in found.source.shape)
        return replace(found, target=sampled_block(target, where, (z, y, x)))

    def point_spread(self, planes: int) -> NDArray[np.float32]:
        """Image ZYX of a point by the source's microscope, from end to end of a stack of `planes`.

        Sums to 1: what is farther away belongs to no voxel.
        """
        from scopezoo.datasets.simulation import read_config
        from scopezoo.datasets.simulation.render import render

        shape = (2 * planes - 1, PSF_PX, PSF_PX)
        instrument = replace(read_config(self.folder / "config.yaml").source, shape=shape)
        image = render(np.array([[*instrument.centre_um, 1.0]]), instrument)
        return np.asarray(image / image.sum(), dtype=np.float32)


def _file_name(pair: Pair) -> str:
    return Path(pair.target.original or pair.id).name.split(".")[0]


def evaluate_pairs(
    recipe: RestorationRecipe,
    recipe_path: Path,
    data: Path,
    weights: Path,
    *,
    unregistered: Path | None = None,
    truth: Path | None = None,
) -> dict[str, Any]:
    """Means over the test part for each method, and a figure beside the recipe.

    `unregistered` has the weights of the same network trained without registering; `truth` is that
    of a simulation, and gives noise-free targets and the PSF for Richardson-Lucy deconvolution.
    """
    known = Truth(truth) if truth else None
    methods = _methods(recipe, weights, unregistered, known)
    target_name = "confocal without noise" if known else "confocal"
    rows: list[dict[str, Any]] = []
    fields: list[_Field] = []
    for pair, field in _fields(recipe, data, known):
        group = UNLIKE if field.specimen in recipe.data.unlike else LIKE
        region = scored_region(field.seen)
        images = {
            name: stack[region]
            for method in methods
            for name, stack in method(field.source).items()
        }
        wanted, seen = field.target[region], field.seen[region]
        for name, image in images.items():
            figures = fidelity(image, wanted, seen, pair.source.voxel_um.x)
            rows.append({"pair": pair.id, "group": group, "method": name, **figures.as_dict()})
        fields.append(
            _Field(field.specimen, group, rows[-1]["psnr_db"], {**images, target_name: wanted})
        )
    comparison_figure(_shown(fields), recipe.pixel_size_um, recipe_path.parent / FIGURE)
    return {
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len(fields),
        "reference": target_name,
        "table": _table(rows),
        "by_image": rows,
        "figure": FIGURE,
    }


@dataclass(frozen=True)
class _Field:
    """A field by every method, the wanted image last; `psnr_db` is the model's."""

    specimen: str
    group: str
    psnr_db: float
    images: Stacks


def _shown(fields: list[_Field]) -> dict[str, Stacks]:
    """What the picture has: the best, the middle and the worst specimen like training, and all
    others. Of each its first field."""
    first = list({one.specimen: one for one in reversed(fields)}.values())
    like = sorted((one for one in first if one.group == LIKE), key=lambda one: -one.psnr_db)
    chosen = [*like[:1], *like[len(like) // 2 : -1][:1], *like[1:][-1:]]
    unlike = [one for one in reversed(first) if one.group == UNLIKE]
    return {
        one.specimen: {k: v for k, v in one.images.items() if k not in NOT_SHOWN}
        for one in (*chosen, *unlike)
    }


def scored_region(seen: NDArray[np.bool_], side_px: int = CROP_PX) -> Region:
    """Planes that are seen somewhere, and a square in the middle of what is seen."""
    planes = np.flatnonzero(seen.any(axis=(1, 2)))
    if not planes.size:
        raise UsageError("a test pair has no place that both microscopes saw")
    sides = min(side_px, *seen.shape[1:])
    middle = [np.flatnonzero(seen.any(axis=axes)).mean() for axes in ((0, 2), (0, 1))]
    corner = [
        int(np.clip(round(at - sides / 2), 0, size - sides))
        for at, size in zip(middle, seen.shape[1:], strict=True)
    ]
    y, x = (slice(start, start + sides) for start in corner)
    return slice(int(planes[0]), int(planes[-1]) + 1), y, x


def restored(
    network: SlicesUNet3d, stack: NDArray[np.float32], how: Normalisation
) -> NDArray[np.float32]:
    """The network's output for a raw stack ZYX, in normalised grey levels of its source."""
    given = Levels.of(stack, how).apply(stack)
    padding = [(0, 0), *((0, -size % network.stride) for size in stack.shape[1:])]
    padded = np.pad(given, padding, mode="symmetric")
    with torch.inference_mode():
        output = network(torch.from_numpy(padded)[None, None])[0, 0].numpy()
    return np.asarray(output[:, : stack.shape[1], : stack.shape[2]])


def _methods(
    recipe: RestorationRecipe, weights: Path, unregistered: Path | None, truth: Truth | None
) -> list[Method]:
    def restorer(name: str, path: Path) -> Method:
        network = cast(SlicesUNet3d, load_network(recipe, path))
        return lambda stack: {name: restored(network, stack, recipe.normalisation)}

    methods: list[Method] = [lambda stack: {"wide-field": stack}]
    if truth:
        methods.append(partial(_deconvolved, point_spread=lru_cache(1)(truth.point_spread)))
    if unregistered:
        methods.append(restorer("trained on unregistered pairs", unregistered))
    return [*methods, restorer(MODEL, weights)]


def _deconvolved(stack: NDArray[np.float32], point_spread: PointSpread) -> Stacks:
    found = deconvolved(stack, point_spread(len(stack)), ITERATIONS)
    return {DECONVOLVED.format(count): image for count, image in found.items()}


def _fields(
    recipe: RestorationRecipe, data: Path, truth: Truth | None
) -> Iterator[tuple[Pair, PairField]]:
    aligned = truth.aligned if truth else as_registered
    source = PairSource(data, "test", recipe.normalisation, aligned)
    for pair in source.pairs:
        field = source.field(pair)
        gridded = source.gridded(pair, "source")
        yield pair, truth.field(pair, gridded, field) if truth else field


def _table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the images of each group, for each method."""
    found = []
    for group, method in dict.fromkeys((row["group"], row["method"]) for row in rows):
        members = [row for row in rows if (row["group"], row["method"]) == (group, method)]
        means: dict[str, Any] = {"group": group, "method": method, "images": len(members)}
        for key in FIGURES:
            values = [row[key] for row in members if row[key] is not None]
            means[key] = round(float(np.mean(values)), 4) if values else None
        found.append(means)
    return found
