"""What a recipe's model takes and gives, by kind of recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scopezoo.models.border_unet import CLASSES
from scopezoo.models.borders import PLAIN_SETTINGS, border_settings
from scopezoo.models.recipe import (
    BorderRecipe,
    ImageRecipe,
    Recipe,
    RestorationRecipe,
    StarDist3dRecipe,
    StarDistRecipe,
    SynthesisRecipe,
)
from scopezoo.packaging.image_tensors import (
    how_image_trained,
    image_architecture,
    image_input,
    image_output,
    scale_range,
)
from scopezoo.packaging.metadata import InputImage, InputMetadata, Instances, OutputMetadata
from scopezoo.packaging.star_tensors import (
    how_segmentation_trained,
    nuclei_input,
    star_architecture,
    star_output,
)
from scopezoo.packaging.synthesis_tensors import (
    how_synthesis_trained,
    synthesis_input,
    synthesis_output,
)


@dataclass(frozen=True)
class RecipeTensors:
    """The parts of a description that depend on the kind of model."""

    architecture: str
    how_trained: str
    input: InputMetadata
    output: OutputMetadata
    instances: Instances | None = None


def recipe_tensors(recipe: Recipe, path: Path, measured: Mapping[str, Any]) -> RecipeTensors:
    """Those of a recipe at `path`; raises pydantic's ValidationError for what cannot be said."""
    if isinstance(recipe, RestorationRecipe):
        return _restoration(recipe, path)
    if isinstance(recipe, ImageRecipe):
        return RecipeTensors(
            architecture=image_architecture(recipe),
            how_trained=how_image_trained(recipe, path.name),
            input=image_input(recipe),
            output=image_output(recipe),
        )
    if isinstance(recipe, SynthesisRecipe):
        return RecipeTensors(
            architecture="pix2pix (2D U-Net)",
            how_trained=how_synthesis_trained(recipe, path),
            input=synthesis_input(recipe),
            output=synthesis_output(),
        )
    if isinstance(recipe, BorderRecipe):
        return _borders(recipe, path, measured)
    assert isinstance(recipe, StarDistRecipe | StarDist3dRecipe)  # the only other kinds
    return RecipeTensors(
        architecture=star_architecture(recipe),
        how_trained=how_segmentation_trained(recipe, path),
        input=nuclei_input(recipe),
        output=star_output(recipe, measured),
    )


def _borders(recipe: BorderRecipe, path: Path, measured: Mapping[str, Any]) -> RecipeTensors:
    tuned = measured.get("evaluation", {}).get("thresholds")
    settings = border_settings(tuned["inside"], tuned["mask"]) if tuned else PLAIN_SETTINGS
    return RecipeTensors(
        architecture="U-Net (2D)",
        how_trained=how_segmentation_trained(recipe, path),
        input=nuclei_input(recipe),
        output=OutputMetadata(
            id="probabilities",
            axes="bcyx",
            description="Probabilities of background, inside and border of objects",
            channel_names=CLASSES,
        ),
        instances=Instances(**asdict(settings)),
    )


def _restoration(recipe: RestorationRecipe, path: Path) -> RecipeTensors:
    plan, network = recipe.training, recipe.network
    given = plan.planes + network.slices - 1
    aligned = "registered" if recipe.data.registered else "unregistered"
    how = (
        f"`scopezoo train {path.name} --data DATASET` trains it on {aligned} pairs of the training "
        f"specimens of {recipe.data.dataset}. Targets are resampled once, onto the grid of the "
        f"input. At most {plan.steps} steps of {plan.batch} patches of {given} planes in, "
        f"{plan.planes} out, of {plan.patch_px}×{plan.patch_px} pixels, {plan.loss.upper()} loss, "
        f"AdamW with a learning rate of {plan.learning_rate:g}, seed {plan.seed}. Targets are put "
        "on the scale on which both stacks have one contrast (standard deviation of means over "
        "cells of 1 µm). The kept weights are a moving average, at the step that did best on the "
        "validation specimens. Patches are mirrored, turned, and varied in brightness and noise."
    )
    return RecipeTensors(
        architecture="2.5D U-Net",
        how_trained=how,
        input=InputMetadata(
            id="image",
            axes="bczyx",
            description="One channel of a stack, raw grey values",
            channel_names=("intensity",),
            pixel_size_um=recipe.pixel_size_um,
            preprocessing=(scale_range(recipe.normalisation, "zyx"),),
            test=InputImage(
                image=recipe.test_image.image,
                credit=recipe.test_image.credit,
                size_px=recipe.test_image.size_px,
            ),
        ),
        output=OutputMetadata(
            id="restored",
            axes="bczyx",
            description="The stack as restored; 0 and 1 are percentiles of the input",
            channel_names=("intensity",),
        ),
    )
