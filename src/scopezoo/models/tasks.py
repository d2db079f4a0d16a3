"""From a recipe to what its training does."""

from __future__ import annotations

from pathlib import Path

from scopezoo.models.recipe import (
    BorderRecipe,
    ImageRecipe,
    Recipe,
    RestorationRecipe,
    StarDist3dRecipe,
    StarDistRecipe,
    SynthesisRecipe,
)
from scopezoo.models.task import Task


def make_task(recipe: Recipe, recipe_path: Path, data: Path) -> Task:
    """The task of a recipe with its data; `data` is the folder (or zip) of the dataset.

    Raises FileError and UsageError for data that are missing or not what the recipe needs.
    """
    if isinstance(recipe, RestorationRecipe):
        from scopezoo.models.restoration import RestorationTask

        return RestorationTask(recipe, data)
    if isinstance(recipe, ImageRecipe):
        from scopezoo.models.image_tasks import image_task

        return image_task(recipe, recipe_path, data)
    if isinstance(recipe, SynthesisRecipe):
        from scopezoo.models.synthesis import SynthesisTask

        return SynthesisTask(recipe, recipe_path, data)
    from scopezoo.models.segmentation import BorderTask, StarDistTask

    if isinstance(recipe, BorderRecipe):
        return BorderTask(recipe, recipe_path, data)
    assert isinstance(recipe, StarDistRecipe | StarDist3dRecipe)  # the only other kinds
    return StarDistTask(recipe, recipe_path, data)
