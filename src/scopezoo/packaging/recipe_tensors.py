"""What a recipe's model takes and gives, by kind of recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scopezoo.models.border_unet import CLASSES
from scopezoo.models.borders import PLAIN_SETTINGS, border_settings
from scopezoo.models.instances import BORDER_PX, Thresholds
from scopezoo.models.recipe import (
    BorderRecipe,
    ImageRecipe,
    Normalisation,
    Recipe,
    RestorationRecipe,
    SegmentationRecipe,
    StarDistRecipe,
    read_recipe_split,
)
from scopezoo.packaging.image_tensors import (
    how_image_trained,
    image_architecture,
    image_input,
    image_output,
)
from scopezoo.packaging.metadata import (
    InputImage,
    InputMetadata,
    Instances,
    OutputMetadata,
    Step,
)

PLAIN_THRESHOLDS = Thresholds(probability=0.5, overlap=0.4)
"""What StarDist uses before its thresholds are tuned."""


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
    if isinstance(recipe, BorderRecipe):
        return _borders(recipe, path, measured)
    assert isinstance(recipe, StarDistRecipe)  # the only other kind
    return _stardist(recipe, path, thresholds_from(measured))


def thresholds_from(measured: Mapping[str, Any]) -> Thresholds:
    """The thresholds that the evaluation tuned, StarDist's plain ones before there is one."""
    found = measured.get("evaluation", {}).get("thresholds")
    return Thresholds(**found) if found else PLAIN_THRESHOLDS


def _scale_range(how: Normalisation, axes: str) -> Step:
    kwargs = {
        "axes": list(axes),
        "min_percentile": how.low_percentile,
        "max_percentile": how.high_percentile,
        "eps": 1e-6,
    }
    return Step(id="scale_range", kwargs=kwargs)


def _stardist(recipe: StarDistRecipe, path: Path, thresholds: Thresholds) -> RecipeTensors:
    decode = {
        "prob_threshold": thresholds.probability,
        "nms_threshold": thresholds.overlap,
        "n_rays": recipe.network.rays,
        "grid": [1, 1],
        "b": BORDER_PX,
    }
    return RecipeTensors(
        architecture="StarDist (2D U-Net)",
        how_trained=_how_segmentation(recipe, path),
        input=_nuclei_input(recipe),
        output=OutputMetadata(
            id="labels",
            axes="byxc",
            description="Label image: 0 is background, every object has its own number",
            channel_names=("label",),
            postprocessing=(Step(id="stardist_postprocessing", kwargs=decode),),
            type="int32",
        ),
    )


def _borders(recipe: BorderRecipe, path: Path, measured: Mapping[str, Any]) -> RecipeTensors:
    tuned = measured.get("evaluation", {}).get("thresholds")
    settings = border_settings(tuned["inside"], tuned["mask"]) if tuned else PLAIN_SETTINGS
    return RecipeTensors(
        architecture="U-Net (2D)",
        how_trained=_how_segmentation(recipe, path),
        input=_nuclei_input(recipe),
        output=OutputMetadata(
            id="probabilities",
            axes="bcyx",
            description="Probabilities of background, inside and border of objects",
            channel_names=CLASSES,
        ),
        instances=Instances(**asdict(settings)),
    )


def _nuclei_input(recipe: SegmentationRecipe) -> InputMetadata:
    return InputMetadata(
        id="image",
        axes="bcyx",
        description="One channel of a microscope image, raw grey values",
        channel_names=("intensity",),
        preprocessing=(_scale_range(recipe.normalisation, "yx"),),
        test=InputImage(shipped="stardist_nuclei_2d"),
    )


def _how_segmentation(recipe: SegmentationRecipe, path: Path) -> str:
    plan = recipe.training
    images = f" on {recipe.data.dataset}"
    if (path.parent / recipe.data.split).is_file():
        count = len(read_recipe_split(recipe, path).ids("training"))
        images = f" on the {count} images of the training part of {recipe.data.dataset}"
    return (
        f"`scopezoo train {path.name}` trains it{images} (the split is by field "
        f"of view and is part of the project): at most {plan.steps} steps of "
        f"{plan.batch} patches of {plan.patch_px}×{plan.patch_px} pixels, AdamW with a learning "
        f"rate of {plan.learning_rate:g}, seed {plan.seed}. The kept weights are a moving average, "
        "at the step that did best on the validation part. Patches are mirrored, turned, scaled, "
        "and varied in brightness, contrast, noise and sharpness."
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
            preprocessing=(_scale_range(recipe.normalisation, "zyx"),),
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
