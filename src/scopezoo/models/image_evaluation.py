"""How good denoising is, beside what one has without the model; and what a recipe's network gives.

Scored against the same light without noise, where a simulation's truth is given, else against the
image with more light.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scopezoo.datasets.paired.manifest import Pair
from scopezoo.formats import open_image
from scopezoo.models.fidelity import (
    RANGE_PERCENTILES,
    agreement_um,
    micro_ssim,
    nrmse,
    pearson_r,
    psnr_db,
    scaled_to,
    ssim,
)
from scopezoo.models.image_figures import panels_figure
from scopezoo.models.network import load_network
from scopezoo.models.pairs import Levels, PairSource
from scopezoo.models.recipe import ImageRecipe, read_recipe
from scopezoo.models.samples import Stack, normalised_as_one, on_levels_of
from scopezoo.models.stabilised import Detector, bm3d_denoised

PLANES = slice(2, None, 5)
"""Those that are scored, of each stack."""
MODEL = "this model"
THIRDS = ("noisiest third", "middle third", "least noisy third")
UNLIKE = "unlike training"
FIGURE = "comparison.png"
FIGURES = ("psnr_given_db", "psnr_db", "ssim", "micro_ssim", "nrmse", "pearson_r", "agreement_um")

Row = dict[str, Any]
Method = Callable[[Stack], Stack]
"""From a raw stack ZYX to the same planes without noise, in its grey levels."""


@dataclass(frozen=True)
class _Field:
    """A test stack: scored planes of each method, the wanted ones last."""

    specimen: str
    images: dict[str, Stack]
    pixel_um: float

    @property
    def noise(self) -> float:
        """How far the raw planes are from what is wanted, in its range."""
        *_, wanted = self.images.values()
        return -given_psnr_db(self.images["noisy"], wanted)


def evaluate_images(
    recipe: ImageRecipe,
    recipe_path: Path,
    data: Path,
    weights: Path,
    *,
    truth: Path | None = None,
    beside: Path | None = None,
    real: Path | None = None,
) -> dict[str, Any]:
    """The figures of a recipe's model, by its method; `real` adds those on real noisy images."""
    if recipe.training.method == "fnet":
        from scopezoo.models.labelfree_evaluation import evaluate_labelfree

        return evaluate_labelfree(recipe, recipe_path, data, weights, truth=truth)
    found = evaluate_denoising(recipe, recipe_path, data, weights, truth=truth, beside=beside)
    if real:
        from scopezoo.models.real_evaluation import evaluate_real

        found["real"] = evaluate_real(recipe, weights, real, beside=beside)
    return found


def evaluate_denoising(
    recipe: ImageRecipe,
    recipe_path: Path,
    data: Path,
    weights: Path,
    *,
    truth: Path | None = None,
    beside: Path | None = None,
) -> dict[str, Any]:
    """Means over thirds of the test part by noise, and a figure beside the recipe.

    `truth` is that of a simulation: noise-free images, and the detector for BM3D, which is told
    the true gain, offset and read noise. `beside` is the recipe of another model to compare with.
    """
    methods = _methods(recipe, weights, truth, beside)
    reference = "same light without noise" if truth else "image with more light"
    fields = list(_fields(recipe, data, methods, truth, reference))
    like = sorted(
        (one for one in fields if one.specimen not in recipe.data.unlike),
        key=lambda one: -one.noise,
    )
    groups = {
        **{name: [like[i] for i in part] for name, part in zip(THIRDS, _thirds(like), strict=True)},
        UNLIKE: [one for one in fields if one.specimen in recipe.data.unlike],
    }
    rows = [
        {
            "group": group,
            "image": one.specimen,
            "method": method,
            **image_fidelity(image, one.images[reference], one.pixel_um),
        }
        for group, members in groups.items()
        for one in members
        for method, image in one.images.items()
        if method != reference
    ]
    shown = {
        f"{name}\n{groups[name][0].specimen}": groups[name][0].images
        for name in groups
        if groups[name]
    }
    panels_figure(shown, recipe.pixel_size_um["x"], recipe_path.parent / FIGURE)
    return {
        "kind": "denoising",
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len(fields),
        "planes": len(next(iter(fields[0].images.values()))) if fields else 0,
        "reference": reference,
        "table": mean_rows(rows, FIGURES),
        "by_image": rows,
        "figure": FIGURE,
    }


def _thirds(ordered: list[_Field]) -> list[NDArray[np.intp]]:
    return list(np.array_split(np.arange(len(ordered)), len(THIRDS)))


def given_psnr_db(image: NDArray[Any], wanted: NDArray[Any]) -> float:
    """PSNR of grey levels as they are; the range is that of `fidelity`."""
    low, high = np.percentile(wanted, RANGE_PERCENTILES)
    return psnr_db(image, wanted, float(high - low))


def image_fidelity(image: Stack, wanted: Stack, pixel_um: float) -> dict[str, float | None]:
    """All figures of planes ZYX; all but the first after scale and offset are matched."""
    matched = scaled_to(image, wanted)
    low, high = np.percentile(wanted, RANGE_PERCENTILES)
    data_range = float(high - low)
    return {
        "psnr_given_db": given_psnr_db(image, wanted),
        "psnr_db": psnr_db(matched, wanted, data_range),
        "ssim": ssim(matched, wanted, data_range, np.ones(wanted.shape, dtype=np.bool_)),
        "micro_ssim": micro_ssim(matched, wanted),
        "nrmse": nrmse(matched, wanted, data_range),
        "pearson_r": pearson_r(image, wanted),
        "agreement_um": agreement_um(matched, wanted, pixel_um),
    }


def _methods(
    recipe: ImageRecipe, weights: Path, truth: Path | None, beside: Path | None
) -> dict[str, Method]:
    methods: dict[str, Method] = {"noisy": lambda stack: stack[PLANES]}
    if truth and find_spec("bm3d"):
        detector = true_detector(truth)
        methods["BM3D"] = lambda stack: bm3d_denoised(stack[PLANES], detector)
    if beside:
        other = read_recipe(beside)
        assert isinstance(other, ImageRecipe)
        methods[other.id] = _denoiser(other, beside.parent / "weights.pt")
    methods[MODEL] = _denoiser(recipe, weights)
    return methods


def _denoiser(recipe: ImageRecipe, weights: Path) -> Method:
    network = load_network(recipe, weights)
    return lambda stack: denormalised(network, stack, recipe)[PLANES]


def true_detector(truth: Path) -> Detector:
    """That of the source of a simulated dataset."""
    from scopezoo.datasets.simulation import read_config

    camera = read_config(truth / "config.yaml").source
    return Detector(camera.offset, camera.gain, camera.read_noise_electrons)


def predicted(network: nn.Module, stack: Stack, recipe: ImageRecipe) -> Stack:
    """The network's output for a raw stack ZYX, each sample normalised by itself."""
    found = np.empty(stack.shape, dtype=np.float32)
    for planes in normalised_as_one(recipe, len(stack)):
        given = Levels.of(stack[planes], recipe.normalisation).apply(stack[planes])
        found[planes] = _run(network, given, is_3d=recipe.is_3d)
    return found


def denormalised(network: nn.Module, stack: Stack, recipe: ImageRecipe) -> Stack:
    """The same in the grey levels of the stack."""
    found = predicted(network, stack, recipe)
    for planes in normalised_as_one(recipe, len(stack)):
        levels = Levels.of(stack[planes], recipe.normalisation)
        found[planes] = found[planes] * (levels.high - levels.low) + levels.low
    return found


def _run(network: nn.Module, given: Stack, *, is_3d: bool) -> Stack:
    stride = int(network.stride)  # type: ignore[arg-type] # of both networks
    padding = [(0, 0), *((0, -size % stride) for size in given.shape[1:])]
    padded = torch.from_numpy(np.pad(given, padding, mode="symmetric"))
    with torch.inference_mode():
        output = network(padded[None, None])[0, 0] if is_3d else network(padded[:, None])[:, 0]
    return np.asarray(output.numpy()[:, : given.shape[1], : given.shape[2]])


def _fields(
    recipe: ImageRecipe,
    data: Path,
    methods: dict[str, Method],
    truth: Path | None,
    reference: str,
) -> Iterator[_Field]:
    source = PairSource(data, "test", recipe.normalisation)
    for pair in source.pairs:
        field = source.field(pair)
        voxel_um = source.gridded(pair, "source").voxel_um
        target = clean(truth, pair, "source") if truth else field.target
        wanted = on_levels_of(field.source, target, voxel_um)[PLANES]
        images = {name: method(field.source) for name, method in methods.items()}
        yield _Field(pair.specimen, {**images, reference: wanted}, voxel_um[2])


def clean(truth: Path, pair: Pair, side: str) -> Stack:
    """What an image of a simulated pair would be without noise, ZYX."""
    name = Path(pair.source.original or pair.id).name.split(".")[0]
    image = open_image(truth / side / f"{name}.ome.tif")
    return np.asarray(image.read(), dtype=np.float32).reshape(image.shape[-3:])


def mean_rows(rows: list[Row], figures: tuple[str, ...]) -> list[Row]:
    """Means over the images of each group, for each method."""
    found = []
    for group, method in dict.fromkeys((row["group"], row["method"]) for row in rows):
        members = [row for row in rows if (row["group"], row["method"]) == (group, method)]
        means: Row = {"group": group, "method": method, "images": len(members)}
        for key in figures:
            values = [row[key] for row in members if row[key] is not None]
            means[key] = round(float(np.mean(values)), 4) if values else None
        found.append(means)
    return found
