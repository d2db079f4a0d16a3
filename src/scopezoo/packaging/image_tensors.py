"""What the models of image recipes take and give: CARE, Noise2Void, fnet."""

from __future__ import annotations

from scopezoo.models.recipe import ImageRecipe, Normalisation
from scopezoo.packaging.metadata import InputImage, InputMetadata, OutputMetadata, Step

TITLES = {"care": "CARE", "noise2void": "Noise2Void", "fnet": "fnet"}
LESSONS = {
    "care": (
        "pairs of images with little and with much light; the second are put on the grey levels of "
        "the first by a line through means over cells of 1 µm, and errors count against the noise "
        "of their patch"
    ),
    "noise2void": (
        "the noisy images alone. In each square of {hidden}×{hidden} pixels one is replaced by a "
        "neighbour of its plane, and the network is to predict what was there: as the noise of a "
        "pixel cannot be known from those around it, it learns the signal. The logarithm of a "
        "patch's error is made small, for the noise that remains differs from patch to patch. "
        "Targets are never read"
    ),
    "fnet": (
        "pairs of transmitted light and fluorescence of the same pixels, each with its own grey "
        "levels"
    ),
}


def image_architecture(recipe: ImageRecipe) -> str:
    """Method and network."""
    dimension = "2.5D" if recipe.is_3d else "2D"
    return f"{TITLES[recipe.training.method]} ({dimension} U-Net)"


def how_image_trained(recipe: ImageRecipe, recipe_name: str) -> str:
    """A paragraph for the card."""
    plan = recipe.training
    lesson = LESSONS[plan.method].format(hidden=plan.hidden_px)
    near = f" from {2 * recipe.neighbours + 1} planes around it" if recipe.is_3d else ""
    return (
        f"`scopezoo train {recipe_name} --data DATASET` trains it on the training specimens of "
        f"{recipe.data.dataset}: on {lesson}. {plan.steps} steps of {plan.batch} patches of "
        f"{plan.patch_px}×{plan.patch_px} pixels of one plane{near}, {plan.loss.upper()} loss, "
        f"AdamW with a learning rate of {plan.learning_rate:g}, seed {plan.seed}. The kept weights "
        "are a moving average, at the step that did best on the validation specimens. Patches are "
        "mirrored, turned, and varied in brightness."
    )


def image_input(recipe: ImageRecipe) -> InputMetadata:
    """One channel, raw."""
    axes = "bczyx" if recipe.is_3d else "bcyx"
    return InputMetadata(
        id="image",
        axes=axes,
        description=f"One channel of a {'stack' if recipe.is_3d else 'plane'}, raw grey values",
        channel_names=("intensity",),
        pixel_size_um=recipe.pixel_size_um,
        preprocessing=(scale_range(recipe.normalisation, axes[2:]),),
        test=InputImage(
            image=recipe.test_image.image,
            credit=recipe.test_image.credit,
            size_px=recipe.test_image.size_px,
        ),
    )


def image_output(recipe: ImageRecipe) -> OutputMetadata:
    """On the grid of the input."""
    is_predicted = recipe.training.method == "fnet"
    return OutputMetadata(
        id="fluorescence" if is_predicted else "denoised",
        axes="bczyx" if recipe.is_3d else "bcyx",
        description=(
            "Predicted fluorescence: 0 is background, 1 bright"
            if is_predicted
            else "The image without noise; 0 and 1 are percentiles of the input"
        ),
        channel_names=("intensity",),
    )


def scale_range(how: Normalisation, axes: str) -> Step:
    """The normalisation of a recipe, over these axes."""
    kwargs = {
        "axes": list(axes),
        "min_percentile": how.low_percentile,
        "max_percentile": how.high_percentile,
        "eps": 1e-6,
    }
    return Step(id="scale_range", kwargs=kwargs)
