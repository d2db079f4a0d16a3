"""A recipe and its weights as something to package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scopezoo.errors import FileError
from scopezoo.models.instances import BORDER_PX, Thresholds
from scopezoo.models.network import load_network
from scopezoo.models.recipe import Recipe, read_recipe, read_recipe_split
from scopezoo.packaging.metadata import (
    Author,
    Citation,
    InputImage,
    InputMetadata,
    Metadata,
    OutputMetadata,
    Step,
    TrainingData,
)
from scopezoo.packaging.origin import RECIPE, Origin, TorchNetwork

DATASET_URLS = {"dsb2018": "https://bbbc.broadinstitute.org/BBBC038"}
PLAIN_THRESHOLDS = Thresholds(probability=0.5, overlap=0.4)
"""What StarDist uses before its thresholds are tuned."""


def origin_from_recipe(path: Path, weights: Path, measured: Mapping[str, Any]) -> Origin:
    """The network of a recipe with its state dict. Raises FileError where they do not fit."""
    recipe = read_recipe(path)
    network = load_network(recipe, weights)
    arguments = recipe.network.model_dump(mode="json", exclude={"kind"})
    torch_network = TorchNetwork(
        network=network,
        state_dict=weights.read_bytes(),
        module_name=type(network).__module__,
        callable=type(network).__name__,
        arguments=arguments,
    )
    metadata = metadata_from_recipe(recipe, path, thresholds_from(measured))
    return Origin(metadata, path.parent, torch=torch_network, files={RECIPE: path.read_bytes()})


def thresholds_from(measured: Mapping[str, Any]) -> Thresholds:
    """The thresholds that the evaluation tuned, StarDist's plain ones before there is one."""
    found = measured.get("evaluation", {}).get("thresholds")
    return Thresholds(**found) if found else PLAIN_THRESHOLDS


def metadata_from_recipe(recipe: Recipe, path: Path, thresholds: Thresholds) -> Metadata:
    """What the description says of a recipe's model. Raises FileError for what it cannot say."""
    normalise = {
        "axes": ["y", "x"],
        "min_percentile": recipe.normalisation.low_percentile,
        "max_percentile": recipe.normalisation.high_percentile,
        "eps": 1e-6,
    }
    decode = {
        "prob_threshold": thresholds.probability,
        "nms_threshold": thresholds.overlap,
        "n_rays": recipe.network.rays,
        "grid": [1, 1],
        "b": BORDER_PX,
    }
    try:
        return Metadata(
            id=recipe.id,
            # The format's names have no comma or colon.
            name=re.sub(r"[^A-Za-z0-9_+\- ()]", "", recipe.name),
            version=recipe.version,
            description=recipe.description,
            authors=tuple(Author(**author.model_dump()) for author in recipe.authors),
            cite=tuple(Citation(**citation.model_dump()) for citation in recipe.cite),
            license=recipe.license,
            tags=recipe.tags,
            task=recipe.task,
            modality=recipe.modality,
            architecture="StarDist (2D U-Net)",
            intended_use=recipe.intended_use,
            limitations=recipe.limitations,
            how_trained=_how_trained(recipe, path),
            training_data=TrainingData(
                id=recipe.data.dataset, url=DATASET_URLS.get(recipe.data.dataset)
            ),
            inputs=(
                InputMetadata(
                    id="image",
                    axes="bcyx",
                    description="One channel of a microscope image, raw grey values",
                    channel_names=("intensity",),
                    preprocessing=(Step(id="scale_range", kwargs=normalise),),
                    test=InputImage(shipped="stardist_nuclei_2d"),
                ),
            ),
            outputs=(
                OutputMetadata(
                    id="labels",
                    axes="byxc",
                    description="Label image: 0 is background, every object has its own number",
                    channel_names=("label",),
                    postprocessing=(Step(id="stardist_postprocessing", kwargs=decode),),
                    type="int32",
                ),
            ),
        )
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise FileError(f"{path} cannot be packaged: {found}") from error


def _how_trained(recipe: Recipe, path: Path) -> str:
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
