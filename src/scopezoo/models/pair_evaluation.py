"""How good a restoration model is, beside what one has without it.

Scores are of scale-and-offset-matched images against what the better microscope would have shown
without noise, where a simulation's truth is given, else against what it did show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import Pair
from scopezoo.datasets.paired.sampling import GriddedImage, index_matrix, sampled_block
from scopezoo.errors import FileError, UsageError
from scopezoo.formats import open_image
from scopezoo.models.fidelity import fidelity
from scopezoo.models.network import load_network
from scopezoo.models.pair_figures import comparison_figure
from scopezoo.models.pairs import Levels, PairField, PairSource, places_inside
from scopezoo.models.recipe import Normalisation, RestorationRecipe
from scopezoo.models.slices import SlicesUNet3d

CROP_PX = 160
"""Side of the square in the middle of what both microscopes saw that is scored."""
ITERATIONS = 30
FAINT_LIGHT = 1e-3
"""Of the largest; keeps ratios finite where there is none."""
PSF_PX = (25, 49, 49)
LIKE, UNLIKE = "like training", "unlike training"
MODEL = "this model"
FIGURES = ("psnr_db", "ssim", "micro_ssim", "nrmse", "pearson_r", "agreement_um")
FIGURE = "comparison.png"

Region = tuple[slice, slice, slice]
Method = Callable[[NDArray[np.float32], Region], NDArray[np.float32]]
"""From a raw stack ZYX to a region of what is made of it."""


@dataclass(frozen=True)
class Truth:
    """The `truth` folder of a simulated dataset."""

    folder: Path

    def field(self, pair: Pair, source: GriddedImage, found: PairField) -> PairField:
        """The same field with the noise-free target, by the true transform."""
        name = Path(pair.target.original or pair.id).name.split(".")[0]
        path = self.folder / "target" / f"{name}.ome.tif"
        clean = open_image(path)
        try:
            content = json.loads((self.folder / f"{name}.transform.json").read_text("utf-8"))
            to_target = np.array(content["matrix"], dtype=np.float64)
        except (OSError, ValueError, KeyError) as error:
            raise FileError(f"{self.folder} has no transform of {name}: {error}") from error
        target = GriddedImage.of(clean, pair.target)
        matrix = index_matrix(to_target, source, target)
        z, y, x = (slice(0, size) for size in found.source.shape)
        return replace(
            found,
            target=sampled_block(target, matrix, (z, y, x)),
            seen=places_inside(found.source.shape, matrix, target.shape),
        )

    def point_spread(self) -> NDArray[np.float32]:
        """Image ZYX of a point by the source's microscope, sums to 1."""
        from scopezoo.datasets.simulation import read_config
        from scopezoo.datasets.simulation.render import render

        instrument = replace(read_config(self.folder / "config.yaml").source, shape=PSF_PX)
        image = render(np.array([[*instrument.centre_um, 1.0]]), instrument)
        return np.asarray(image / image.sum(), dtype=np.float32)


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
    shown: dict[str, dict[str, NDArray[np.float32]]] = {}
    for pair, field in _fields(recipe, data, known):
        group = UNLIKE if field.specimen in recipe.data.unlike else LIKE
        region = scored_region(field.seen)
        images = {name: method(field.source, region) for name, method in methods.items()}
        wanted, seen = field.target[region], field.seen[region]
        for name, image in images.items():
            figures = fidelity(image, wanted, seen, pair.source.voxel_um.x)
            rows.append({"pair": pair.id, "group": group, "method": name, **figures.as_dict()})
        shown.setdefault(field.specimen, {**images, target_name: wanted})
    comparison_figure(shown, recipe.pixel_size_um, recipe_path.parent / FIGURE)
    return {
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len({row["pair"] for row in rows}),
        "reference": target_name,
        "table": _table(rows),
        "by_image": rows,
        "figure": FIGURE,
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


def deconvolved(
    stack: NDArray[np.float32],
    region: Region,
    psf: NDArray[np.float32],
    iterations: int = ITERATIONS,
) -> NDArray[np.float32]:
    """A region after Richardson–Lucy deconvolution by scikit-image.

    The PSF's reach around the region is deconvolved too; beyond the image it is mirrored. The first
    percentile of the stack is taken for the camera's offset with the background.
    """
    from skimage import restoration

    reach = [size // 2 for size in psf.shape]
    light = np.maximum(stack - np.percentile(stack, 1), 0)
    padded = np.pad(light, [(px, px) for px in reach], mode="symmetric")
    wide = tuple(
        slice(part.start, part.stop + 2 * px) for part, px in zip(region, reach, strict=True)
    )
    given = (padded[wide] / light.max() + FAINT_LIGHT).astype(np.float32)
    richardson_lucy: Any = restoration.richardson_lucy  # untyped
    estimate = richardson_lucy(given, psf, num_iter=iterations, clip=False)
    inner = tuple(
        slice(px, px + part.stop - part.start) for part, px in zip(region, reach, strict=True)
    )
    return np.asarray(estimate[inner], dtype=np.float32)


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
) -> dict[str, Method]:
    def restorer(path: Path) -> Method:
        network = cast(SlicesUNet3d, load_network(recipe, path))
        return lambda stack, region: restored(network, stack, recipe.normalisation)[region]

    methods: dict[str, Method] = {"wide-field": lambda stack, region: stack[region]}
    if truth:
        psf = truth.point_spread()
        methods["Richardson–Lucy, true PSF"] = lambda stack, region: deconvolved(stack, region, psf)
    if unregistered:
        methods["trained on unregistered pairs"] = restorer(unregistered)
    return {**methods, MODEL: restorer(weights)}


def _fields(
    recipe: RestorationRecipe, data: Path, truth: Truth | None
) -> Iterator[tuple[Pair, PairField]]:
    how = recipe.data.model_copy(update={"registered": True})
    source = PairSource(data, "test", how, recipe.normalisation)
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
