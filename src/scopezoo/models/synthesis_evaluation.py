"""What synthetic images are good for: networks trained on them find nuclei in real images.

StarDist networks of one recipe, `segmentation.yaml` beside that of the generator, are trained on
synthetic images alone, on a few real ones, on both, and on all real ones, for the same number of
steps from the same seed, and tested on the real images of the test part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.models.looks import LEVELS, STEP, looks_of, numbered, with_texture
from scopezoo.models.network import load_network
from scopezoo.models.patches import Field, field_probabilities
from scopezoo.models.pix2pix import Pix2PixGenerator2d
from scopezoo.models.recipe import (
    StarDistRecipe,
    SynthesisRecipe,
    read_recipe,
    read_recipe_split,
)
from scopezoo.models.segmentation import load_fields
from scopezoo.models.star_evaluation import tally_fields
from scopezoo.models.star_shapes import Thresholds, star_shape
from scopezoo.models.stardist import StarDist2d
from scopezoo.models.synthesis import make_image
from scopezoo.models.synthesis_figures import synthesis_figure
from scopezoo.models.synthetic_fields import synthetic_fields, write_fields
from scopezoo.models.training import CHECKPOINT, train
from scopezoo.store.files import sha256

SEGMENTATION = "segmentation.yaml"
FIGURE = "comparison.png"
FEW = 20
SYNTHETIC = 240
SEED = 2017
PLAIN = Thresholds(probability=0.5, overlap=0.4)
"""Tuned on nothing, so that no real image has a part in what is trained on synthetic ones."""


def evaluate_synthesis(
    recipe: SynthesisRecipe, recipe_path: Path, data: Path, weights: Path, work: Path
) -> dict[str, Any]:
    """A row for each set of training images, and a figure beside the recipe.

    `work` gets the images and the trainings; what is finished there is not trained again.
    """
    split = read_recipe_split(recipe, recipe_path)
    folder = SegmentationFolder(data)
    generator = cast(Pix2PixGenerator2d, load_network(recipe, weights))
    real = load_fields(recipe, split, folder, "training")
    test = load_fields(recipe, split, folder, "test")
    made = synthetic_fields(generator, real, SYNTHETIC, SEED)
    few = a_few(real)
    own = sha256(weights.read_bytes())[:8]
    sets: dict[str, tuple[list[Field], list[Field]]] = {
        f"synthetic-{own}": ([], made),
        f"real-{FEW}": (few, []),
        f"real-{FEW}-synthetic-{own}": (few, made),
        f"real-{len(real)}": (real, []),
    }
    segmentation = read_recipe(recipe_path.parent / SEGMENTATION)
    assert isinstance(segmentation, StarDistRecipe)
    shape = star_shape(segmentation)
    table = []
    for name, (observed, invented) in sets.items():
        learn = in_equal_parts(observed, invented)
        network = trained(recipe_path.parent / SEGMENTATION, learn, work / name)
        learned_from = {"real_images": len(observed), "synthetic_images": len(invented)}
        rows = tally_fields(network, shape, test, PLAIN).table()
        table += [{**learned_from, **row} for row in rows]
    synthesis_figure(generator, recipe_path.parent / FIGURE)
    return {
        "kind": "synthesis",
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len(test),
        "objects": sum(len(np.unique(field.labels)) - 1 for field in test),
        "table": table,
        **obedience(generator, test),
        "figure": FIGURE,
    }


def in_equal_parts(observed: list[Field], invented: list[Field]) -> list[Field]:
    """Both, the few observed so often that about half of what is learned from is real."""
    often = len(invented) // len(observed) if observed and invented else 1
    return observed * often + invented


def a_few(real: Sequence[Field]) -> list[Field]:
    """`FEW` of the real images, every kind of image often enough."""
    rng = np.random.default_rng(SEED)
    picked = rng.choice(len(real), size=FEW, replace=False, p=field_probabilities(list(real)))
    return [real[i] for i in picked]


def trained(recipe_path: Path, learn: Sequence[Field], folder: Path) -> StarDist2d:
    """The StarDist network that a recipe makes of some images; goes on with what is in `folder`.

    The validation part is an image of training: the recipe looks once, at the end, and nothing is
    chosen by it.
    """
    own_recipe, run = folder / "recipe.yaml", folder / "run"
    write_fields(learn, learn[:1], folder)
    own_recipe.write_bytes(recipe_path.read_bytes())
    weights = train(own_recipe, folder, run, resume=(run / CHECKPOINT).exists())
    recipe = read_recipe(own_recipe)
    assert isinstance(recipe, StarDistRecipe)  # `train` has written weights for it
    return cast(StarDist2d, load_network(recipe, weights))


def obedience(generator: Pix2PixGenerator2d, fields: Sequence[Field]) -> dict[str, float]:
    """Pearson's correlation, over nuclei, of the looks asked for and those found in the image."""
    asked, found = [], []
    rng = np.random.default_rng(SEED)
    for field in fields:
        looks = rng.permutation(looks_of(field.image, field.labels))
        made = make_image(generator, with_texture(numbered(field.labels, looks), rng))
        asked.append(looks)
        found.append(looks_of(made, field.labels))
    pairs = np.concatenate(asked), np.concatenate(found)
    return {
        "brightness_r": _correlation(*(STEP * looks % LEVELS for looks in pairs)),
        "unevenness_r": _correlation(*(looks // LEVELS for looks in pairs)),
    }


def _correlation(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    return round(float(np.corrcoef(one, other)[0, 1]), 3)
