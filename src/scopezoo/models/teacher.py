"""Distillation: a small network also learns what a larger one finds.

Hinton, Vinyals and Dean 2015, arXiv:1503.02531.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scopezoo.errors import FileError
from scopezoo.models.network import load_network
from scopezoo.models.recipe import (
    ImageRecipe,
    Recipe,
    SegmentationRecipe,
    StarDist3dRecipe,
    read_recipe,
)

Teacher = Callable[[Tensor], Tensor]


def read_teacher(
    recipe: SegmentationRecipe | StarDist3dRecipe | ImageRecipe, recipe_path: Path
) -> Teacher | None:
    """What the larger model that the recipe names finds in images; None where it names none.

    Raises FileError where that model's files are missing, or its network is of another kind.
    """
    if recipe.training.teacher is None:
        return None
    path = recipe_path.parent / recipe.training.teacher
    larger = read_recipe(path)
    if _sizeless(larger) != _sizeless(recipe):
        raise FileError(
            f"{path} cannot teach {recipe.id}: expected the same network and normalisation "
            "but for its channels and features"
        )
    network = load_network(larger, path.with_name("weights.pt"))
    run: Any = network.inner_planes if isinstance(larger, ImageRecipe) else network
    half = recipe.training.precision == "bfloat16"

    def find(images: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            found: Tensor = run(images)
        return found.float()

    return find


def _sizeless(recipe: Recipe) -> tuple[Any, ...]:
    network = recipe.network.model_dump(exclude={"channels", "features"})
    return network, recipe.normalisation
