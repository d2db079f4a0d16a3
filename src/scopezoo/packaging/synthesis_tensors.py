"""What a model that makes images from label images takes and gives."""

from __future__ import annotations

from pathlib import Path

from scopezoo.models.recipe import SynthesisRecipe
from scopezoo.packaging.metadata import InputImage, InputMetadata, OutputMetadata
from scopezoo.packaging.star_tensors import training_part


def synthesis_input(recipe: SynthesisRecipe) -> InputMetadata:
    """A label image."""
    return InputMetadata(
        id="labels",
        axes="bcyx",
        description="Label image: 0 is background, a nucleus's number tells how it looks",
        channel_names=("label",),
        test=InputImage(
            image=recipe.test_image.image,
            credit=recipe.test_image.credit,
            size_px=recipe.test_image.size_px,
        ),
    )


def synthesis_output() -> OutputMetadata:
    """Grey levels."""
    return OutputMetadata(
        id="fluorescence",
        axes="bcyx",
        description="Synthetic fluorescence: 0 is background, 1 the brightest of an image",
        channel_names=("intensity",),
    )


def how_synthesis_trained(recipe: SynthesisRecipe, path: Path) -> str:
    """A paragraph for the card."""
    plan = recipe.training
    return (
        f"`scopezoo train {path.name} --data DATASET` trains it on {training_part(recipe, path)}. "
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
