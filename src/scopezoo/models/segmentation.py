"""Training of networks that find objects: patches of images and of their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import Part, Split
from scopezoo.errors import FileError
from scopezoo.models.border_unet import BorderUNet2d
from scopezoo.models.borders import border_classes, border_loss, border_score
from scopezoo.models.instances import star_loss, star_score, star_targets
from scopezoo.models.patches import Field, draw_patch, field_probabilities, normalise
from scopezoo.models.recipe import (
    BorderRecipe,
    SegmentationRecipe,
    StarDistRecipe,
    read_recipe_split,
)
from scopezoo.models.stardist import StarDist2d


class _SegmentationTask:
    """Fields of the training part in memory; see `scopezoo.models.task.Task`."""

    score_name = "mean AP at IoU 0.5–0.9"
    layout = torch.channels_last

    def __init__(self, recipe: SegmentationRecipe, recipe_path: Path, data: Path) -> None:
        split = read_recipe_split(recipe, recipe_path)
        folder = SegmentationFolder(data)
        self.recipe = recipe
        self.learn = load_fields(recipe, split, folder, "training")
        self.check = load_fields(recipe, split, folder, "validation")
        self.probabilities = field_probabilities(self.learn)

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised images (b, 1, y, x), and what is wanted for each, stacked."""
        plan = self.recipe.training
        drawn = rng.choice(len(self.learn), size=plan.batch, p=self.probabilities)
        patches = [draw_patch(self.learn[i], plan, rng) for i in drawn]
        images = np.stack([image[None] for image, _ in patches])
        targets = np.stack([self._target(labels) for _, labels in patches])
        return torch.from_numpy(images), torch.from_numpy(targets)

    def _target(self, labels: NDArray[np.int32]) -> NDArray[Any]:
        raise NotImplementedError


class StarDistTask(_SegmentationTask):
    """Wanted are probability and distances (1 + rays, y, x)."""

    recipe: StarDistRecipe

    def _target(self, labels: NDArray[np.int32]) -> NDArray[Any]:
        return star_targets(labels, self.recipe.network.rays)

    def run(self, network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        return cast(StarDist2d, network).raw(images)

    def loss(
        self, output: tuple[Tensor, Tensor], wanted: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        logits, distances = output
        weight = self.recipe.training.distance_weight
        return star_loss(logits.float(), distances.float(), wanted, weight)

    def score(self, network: nn.Module) -> float:
        return star_score(cast(StarDist2d, network), self.check)


class BorderTask(_SegmentationTask):
    """Wanted is the number of the class (y, x)."""

    recipe: BorderRecipe

    def _target(self, labels: NDArray[np.int32]) -> NDArray[Any]:
        return border_classes(labels)

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        return cast(BorderUNet2d, network).raw(images)

    def loss(self, output: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        return border_loss(output.float(), wanted, self.recipe.training.border_weight), {}

    def score(self, network: nn.Module) -> float:
        return border_score(cast(BorderUNet2d, network), self.check)


def load_fields(
    recipe: SegmentationRecipe, split: Split, folder: SegmentationFolder, part: Part
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
