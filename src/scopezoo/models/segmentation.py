"""Training of networks that find objects: patches of images and of their labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as torch_f
from numpy.typing import NDArray
from torch import Tensor, nn

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import Part, Split
from scopezoo.errors import FileError
from scopezoo.models.border_unet import CLASSES, BorderUNet2d
from scopezoo.models.borders import border_classes, border_loss, border_score
from scopezoo.models.instances import star_loss, star_score
from scopezoo.models.patches import Field, draw_patch, field_probabilities, normalise
from scopezoo.models.recipe import (
    BorderRecipe,
    SegmentationRecipe,
    StarDist3dRecipe,
    StarDistRecipe,
    SynthesisRecipe,
    read_recipe_split,
)
from scopezoo.models.star_shapes import star_shape
from scopezoo.models.stardist import StarDist2d
from scopezoo.models.stardist_3d import StarDist3d
from scopezoo.models.teacher import read_teacher


class _SegmentationTask(ABC):
    """Fields of the training part in memory; see `scopezoo.models.task.Task`."""

    score_name = "mean AP at IoU 0.5–0.9"

    def __init__(
        self, recipe: SegmentationRecipe | StarDist3dRecipe, recipe_path: Path, data: Path
    ) -> None:
        split = read_recipe_split(recipe, recipe_path)
        self.teacher = read_teacher(recipe, recipe_path)
        folder = open_folder(recipe, data)
        self.layout = torch.channels_last
        if isinstance(recipe, StarDist3dRecipe):
            self.layout = torch.channels_last_3d
        self.recipe = recipe
        self.learn = load_fields(recipe, split, folder, "training")
        self.check = load_fields(recipe, split, folder, "validation")
        self.probabilities = field_probabilities(self.learn)

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised images (b, 1, pixels …), and what is wanted for each, stacked."""
        plan = self.recipe.training
        drawn = rng.choice(len(self.learn), size=plan.batch, p=self.probabilities)
        patches = [draw_patch(self.learn[i], plan, rng) for i in drawn]
        images = torch.from_numpy(np.stack([image[None] for image, _ in patches]))
        wanted = torch.from_numpy(np.stack([self._target(labels) for _, labels in patches]))
        if self.teacher is not None:
            wanted = self._taught(wanted, self.teacher(images))
        return images, wanted

    @abstractmethod
    def _target(self, labels: NDArray[np.int32]) -> NDArray[Any]:
        """What is wanted for a patch with these labels."""

    @abstractmethod
    def _taught(self, wanted: Tensor, found: Tensor) -> Tensor:
        """What is wanted, halfway to what the teacher found."""


class StarDistTask(_SegmentationTask):
    """Wanted are probability and distances (1 + rays, cells …)."""

    recipe: StarDistRecipe | StarDist3dRecipe

    def __init__(
        self, recipe: StarDistRecipe | StarDist3dRecipe, recipe_path: Path, data: Path
    ) -> None:
        super().__init__(recipe, recipe_path, data)
        self.shape = star_shape(recipe)

    def _target(self, labels: NDArray[np.int32]) -> NDArray[Any]:
        return self.shape.targets(labels)

    def _taught(self, wanted: Tensor, found: Tensor) -> Tensor:
        return (wanted + found.movedim(-1, 1)) / 2

    def run(self, network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        return cast(StarDist2d | StarDist3d, network).raw(images)

    def loss(
        self, output: tuple[Tensor, Tensor], wanted: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        logits, distances = output
        weight = self.recipe.training.distance_weight
        return star_loss(logits.float(), distances.float(), wanted, weight)

    def score(self, network: nn.Module) -> float:
        return star_score(network, self.shape, self.check)


class BorderTask(_SegmentationTask):
    """Wanted is the number of the class (y, x), or with a teacher the probabilities (3, y, x)."""

    recipe: BorderRecipe

    def _target(self, labels: NDArray[np.int32]) -> NDArray[Any]:
        return border_classes(labels)

    def _taught(self, wanted: Tensor, found: Tensor) -> Tensor:
        return (torch_f.one_hot(wanted, len(CLASSES)).movedim(-1, 1) + found) / 2

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        return cast(BorderUNet2d, network).raw(images)

    def loss(self, output: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        return border_loss(output.float(), wanted, self.recipe.training.border_weight), {}

    def score(self, network: nn.Module) -> float:
        return border_score(cast(BorderUNet2d, network), self.check)


def open_folder(recipe: SegmentationRecipe | StarDist3dRecipe, data: Path) -> SegmentationFolder:
    """The dataset's images and masks: planes, or stacks for a 3D network."""
    return SegmentationFolder(data, "ZYX" if isinstance(recipe, StarDist3dRecipe) else "YX")


def load_fields(
    recipe: SegmentationRecipe | StarDist3dRecipe | SynthesisRecipe,
    split: Split,
    folder: SegmentationFolder,
    part: Part,
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
