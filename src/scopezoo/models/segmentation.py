"""Training of StarDist networks: patches of images and of their labels."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import Part, Split
from scopezoo.errors import FileError
from scopezoo.models.instances import star_loss, star_targets, validation_score
from scopezoo.models.patches import Field, draw_patch, field_probabilities, normalise
from scopezoo.models.recipe import StarDistRecipe, SynthesisRecipe, read_recipe_split
from scopezoo.models.stardist import StarDist2d


class StarDistTask:
    """Fields of the training part in memory; see `scopezoo.models.task.Task`."""

    score_name = "mean AP at IoU 0.5–0.9"
    layout = torch.channels_last

    def __init__(self, recipe: StarDistRecipe, recipe_path: Path, data: Path) -> None:
        split = read_recipe_split(recipe, recipe_path)
        folder = SegmentationFolder(data)
        self.recipe = recipe
        self.learn = load_fields(recipe, split, folder, "training")
        self.check = load_fields(recipe, split, folder, "validation")
        self.probabilities = field_probabilities(self.learn)

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised images (b, 1, y, x); probability and distances (b, 1 + rays, y, x)."""
        plan = self.recipe.training
        drawn = rng.choice(len(self.learn), size=plan.batch, p=self.probabilities)
        patches = [draw_patch(self.learn[i], plan, rng) for i in drawn]
        rays = self.recipe.network.rays
        images = np.stack([image[None] for image, _ in patches])
        targets = np.stack([star_targets(labels, rays) for _, labels in patches])
        return torch.from_numpy(images), torch.from_numpy(targets)

    def run(self, network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        return cast(StarDist2d, network).raw(images)

    def loss(
        self, output: tuple[Tensor, Tensor], wanted: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        logits, distances = output
        weight = self.recipe.training.distance_weight
        return star_loss(logits.float(), distances.float(), wanted, weight)

    def score(self, network: nn.Module) -> float:
        return validation_score(cast(StarDist2d, network), self.check)


def load_fields(
    recipe: StarDistRecipe | SynthesisRecipe, split: Split, folder: SegmentationFolder, part: Part
) -> list[Field]:
    """All images of one part, normalised, with their labels."""
    present = set(folder.ids())
    missing = [key for key in split.images if key not in present]
    if missing:
        raise FileError(
            f"{folder.path} lacks image {missing[0]} and {len(missing)} of the split in all: "
            f"expected the folder of {recipe.data.dataset}"
        )
    return [
        Field(
            normalise(folder.image(key), recipe.normalisation),
            folder.mask(key),
            split.images[key].stratum,
        )
        for key in split.ids(part)
    ]
