"""What a recipe's model takes and gives, by kind of recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scopezoo.models.instances import BORDER_PX, Thresholds
from scopezoo.models.recipe import (
    ImageRecipe,
    Normalisation,
    Recipe,
    RestorationRecipe,
    StarDistRecipe,
    SynthesisRecipe,
    read_recipe_split,
)
from scopezoo.packaging.image_tensors import (
    how_image_trained,
    image_architecture,
    image_input,
    image_output,
)
from scopezoo.packaging.metadata import InputImage, InputMetadata, OutputMetadata, Step

PLAIN_THRESHOLDS = Thresholds(probability=0.5, overlap=0.4)
"""What StarDist uses before its thresholds are tuned."""


@dataclass(frozen=True)
class RecipeTensors:
    """The parts of a description that depend on the kind of model."""

    architecture: str
    how_trained: str
    input: InputMetadata
    output: OutputMetadata


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
        return _synthesis(recipe, path)
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
        how_trained=_how_stardist(recipe, path),
        input=InputMetadata(
            id="image",
            axes="bcyx",
            description="One channel of a microscope image, raw grey values",
            channel_names=("intensity",),
            preprocessing=(_scale_range(recipe.normalisation, "yx"),),
            test=InputImage(shipped="stardist_nuclei_2d"),
        ),
        output=OutputMetadata(
            id="labels",
            axes="byxc",
            description="Label image: 0 is background, every object has its own number",
            channel_names=("label",),
            postprocessing=(Step(id="stardist_postprocessing", kwargs=decode),),
            type="int32",
        ),
    )


def _how_stardist(recipe: StarDistRecipe, path: Path) -> str:
    plan = recipe.training
    return (
        f"`scopezoo train {path.name}` trains it on {_training_part(recipe, path)}: at most "
        f"{plan.steps} steps of "
        f"{plan.batch} patches of {plan.patch_px}×{plan.patch_px} pixels, AdamW with a learning "
        f"rate of {plan.learning_rate:g}, seed {plan.seed}. The kept weights are a moving average, "
        "at the step that did best on the validation part. Patches are mirrored, turned, scaled, "
        "and varied in brightness, contrast, noise and sharpness."
    )


def _training_part(recipe: StarDistRecipe | SynthesisRecipe, path: Path) -> str:
    """What it learns from, in words."""
    where = "(the split is by field of view and is part of the project)"
    if not (path.parent / recipe.data.split).is_file():
        return f"{recipe.data.dataset} {where}"
    count = len(read_recipe_split(recipe, path).ids("training"))
    return f"the {count} images of the training part of {recipe.data.dataset} {where}"


def _synthesis(recipe: SynthesisRecipe, path: Path) -> RecipeTensors:
    plan = recipe.training
    how = (
        f"`scopezoo train {path.name} --data DATASET` trains it on {_training_part(recipe, path)}. "
        "Before, the nuclei of every label image are numbered by how bright and how uneven they "
        f"are, so that it learns what a number asks for. {plan.steps} steps of {plan.batch} "
        f"patches of {plan.patch_px}×{plan.patch_px} pixels, AdamW with a learning rate of "
        f"{plan.learning_rate:g}, seed {plan.seed}. A critic judges patches of label image and "
        "grey levels (least squares); to its loss comes the mean absolute difference between the "
        f"image without texture and the real one, {plan.fidelity_weight:g} times. The critic sees "
        f"all images with noise of {plan.camera_noise:g} on top, so the network need not make up a "
        "camera's. The kept weights are a moving average, at the look whose images had the power "
        "spectra most like those of the validation part. Patches are mirrored, turned and scaled."
    )
    return RecipeTensors(
        architecture="pix2pix (2D U-Net)",
        how_trained=how,
        input=InputMetadata(
            id="labels",
            axes="bcyx",
            description="Label image: 0 is background, a nucleus's number tells how it looks",
            channel_names=("label",),
            test=InputImage(
                image=recipe.test_image.image,
                credit=recipe.test_image.credit,
                size_px=recipe.test_image.size_px,
            ),
        ),
        output=OutputMetadata(
            id="fluorescence",
            axes="bcyx",
            description="Synthetic fluorescence: 0 is background, 1 the brightest of an image",
            channel_names=("intensity",),
        ),
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
