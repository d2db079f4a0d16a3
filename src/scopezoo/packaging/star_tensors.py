"""What segmentation models take, of planes and of stacks, and what StarDist gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scopezoo.models.recipe import (
    SegmentationRecipe,
    StarDist3dRecipe,
    StarDistRecipe,
    SynthesisRecipe,
    read_recipe_split,
)
from scopezoo.models.star_shapes import Thresholds, star_shape
from scopezoo.packaging.image_tensors import scale_range
from scopezoo.packaging.metadata import InputImage, InputMetadata, OutputMetadata, Step

PLAIN_THRESHOLDS = Thresholds(probability=0.5, overlap=0.4)
"""What StarDist uses before its thresholds are tuned."""


def star_architecture(recipe: StarDistRecipe | StarDist3dRecipe) -> str:
    """Method and network."""
    return f"StarDist ({'3D' if isinstance(recipe, StarDist3dRecipe) else '2D'} U-Net)"


def nuclei_input(recipe: SegmentationRecipe | StarDist3dRecipe) -> InputMetadata:
    """One channel, raw."""
    if isinstance(recipe, StarDist3dRecipe):
        return InputMetadata(
            id="image",
            axes="bczyx",
            description="One channel of a stack, raw grey values",
            channel_names=("intensity",),
            pixel_size_um=recipe.pixel_size_um,
            preprocessing=(scale_range(recipe.normalisation, "zyx"),),
            test=InputImage(**recipe.test_image.model_dump()),
        )
    return InputMetadata(
        id="image",
        axes="bcyx",
        description="One channel of a microscope image, raw grey values",
        channel_names=("intensity",),
        preprocessing=(scale_range(recipe.normalisation, "yx"),),
        test=InputImage(shipped="stardist_nuclei_2d"),
    )


def star_output(
    recipe: StarDistRecipe | StarDist3dRecipe, measured: Mapping[str, Any]
) -> OutputMetadata:
    """Labels, decoded with the thresholds that the evaluation tuned."""
    shape, thresholds = star_shape(recipe), thresholds_from(measured)
    decode: dict[str, Any] = {
        "prob_threshold": thresholds.probability,
        "nms_threshold": thresholds.overlap,
        "n_rays": shape.rays,
        "grid": list(shape.grid),
        "b": shape.border,
    }
    if isinstance(recipe, StarDist3dRecipe):
        decode["anisotropy"] = list(recipe.anisotropy)
    return OutputMetadata(
        id="labels",
        axes="bzyxc" if isinstance(recipe, StarDist3dRecipe) else "byxc",
        description="Label image: 0 is background, every object has its own number",
        channel_names=("label",),
        postprocessing=(Step(id="stardist_postprocessing", kwargs=decode),),
        type="int32",
    )


def thresholds_from(measured: Mapping[str, Any]) -> Thresholds:
    """The thresholds that the evaluation tuned, StarDist's plain ones before there is one."""
    found = measured.get("evaluation", {}).get("thresholds")
    return Thresholds(**found) if found else PLAIN_THRESHOLDS


def training_part(
    recipe: SegmentationRecipe | StarDist3dRecipe | SynthesisRecipe, path: Path
) -> str:
    """What it learns from, in words."""
    is_3d = isinstance(recipe, StarDist3dRecipe)
    unit, by = ("stack", "specimen") if is_3d else ("image", "field of view")
    where = f"{recipe.data.dataset} (the split is by {by} and is part of the project)"
    if not (path.parent / recipe.data.split).is_file():
        return where
    count = len(read_recipe_split(recipe, path).ids("training"))
    return f"the {count} {unit}s of the training part of {where}"


def how_segmentation_trained(recipe: SegmentationRecipe | StarDist3dRecipe, path: Path) -> str:
    """A paragraph for the card."""
    plan = recipe.training
    depth = f"{recipe.training.patch_planes}×" if isinstance(recipe, StarDist3dRecipe) else ""
    return (
        f"`scopezoo train {path.name}` trains it on {training_part(recipe, path)}: at most "
        f"{plan.steps} steps of {plan.batch} patches of "
        f"{depth}{plan.patch_px}×{plan.patch_px} pixels, AdamW with a learning rate of "
        f"{plan.learning_rate:g}, seed {plan.seed}. The kept weights are a moving average, at the "
        "step that did best on the validation part. Patches are mirrored, turned, scaled, and "
        "varied in brightness, contrast, noise and sharpness."
    )
