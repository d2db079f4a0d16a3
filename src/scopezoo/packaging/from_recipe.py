"""A recipe and its weights as something to package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scopezoo.errors import FileError
from scopezoo.models.network import load_network
from scopezoo.models.recipe import (
    ImageRecipe,
    RealImages,
    Recipe,
    RestorationRecipe,
    StarDist3dRecipe,
    TaughtTraining,
    read_recipe,
)
from scopezoo.packaging.metadata import Author, Citation, Metadata, Parent, TrainingData
from scopezoo.packaging.origin import RECIPE, Origin, TorchNetwork
from scopezoo.packaging.recipe_tensors import recipe_tensors

DATASET_URLS = {"dsb2018": "https://bbbc.broadinstitute.org/BBBC038"}


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
    files = {RECIPE: path.read_bytes(), **_pictures(recipe, path.parent, measured)}
    return Origin(
        metadata_from_recipe(recipe, path, measured), path.parent, torch=torch_network, files=files
    )


def _pictures(recipe: Recipe, folder: Path, measured: Mapping[str, Any]) -> dict[str, bytes]:
    """The picture that the evaluation made beside the recipe, and that of real images."""
    files = {}
    figure = measured.get("evaluation", {}).get("figure")
    if figure is not None:
        files[figure] = _content(folder / figure, "evaluate the model again")
    real = _real_images(recipe)
    if real is not None and real.picture is not None:
        files[real.picture.name] = _content(folder / real.picture, "name another in the recipe")
    return files


def _content(path: Path, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {advice}") from error


def _real_images(recipe: Recipe) -> RealImages | None:
    if isinstance(recipe, RestorationRecipe | ImageRecipe | StarDist3dRecipe):
        return recipe.real_images
    return None


def _on_real_images(recipe: Recipe) -> str | None:
    """The text for the card, with the picture below."""
    real = _real_images(recipe)
    if real is None:
        return None
    if real.picture is None:
        return real.text
    picture = f"![Real images, and what the model makes of them]({real.picture.name})"
    return "\n\n".join(part for part in (real.text.strip(), picture, real.caption) if part)


def _how_trained(recipe: Recipe, path: Path, how: str) -> str:
    if recipe.parent is not None:
        return (
            f"It began with the weights of `{recipe.parent.id}` (version {recipe.parent.version}) "
            f"and was trained on. {how}"
        )
    training = recipe.training
    if isinstance(training, TaughtTraining) and training.teacher is not None:
        teacher = read_recipe(path.parent / training.teacher)
        return f"{how} It is distilled: half of what it learned is what `{teacher.id}` finds."
    return how


def metadata_from_recipe(recipe: Recipe, path: Path, measured: Mapping[str, Any]) -> Metadata:
    """What the description says of a recipe's model. Raises FileError for what it cannot say."""
    try:
        tensors = recipe_tensors(recipe, path, measured)
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
            architecture=tensors.architecture,
            intended_use=recipe.intended_use,
            limitations=recipe.limitations,
            how_trained=_how_trained(recipe, path, tensors.how_trained),
            parent=None if recipe.parent is None else Parent(**recipe.parent.model_dump()),
            on_real_images=_on_real_images(recipe),
            training_data=TrainingData(
                id=recipe.data.dataset, url=DATASET_URLS.get(recipe.data.dataset)
            ),
            inputs=(tensors.input,),
            outputs=(tensors.output,),
            instances=tensors.instances,
        )
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise FileError(f"{path} cannot be packaged: {found}") from error
