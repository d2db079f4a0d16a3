"""Judges the recipe that lies beside a package of the collection."""

from __future__ import annotations

from scopezoo.errors import ScopezooError
from scopezoo.store.description import Description
from scopezoo.store.files import PackageFiles
from scopezoo.store.rdf import load_yaml
from scopezoo.validation.report import Check, judged

RECIPE_NAME = "recipe.yaml"


def recipe_check(level: str, files: PackageFiles, description: Description | None) -> Check:
    """Whether the recipe is one, and that of the package, if there is a package yet."""
    problems = _problems(files, description)
    hint = "correct the recipe; scopezoo train RECIPE says the same"
    return judged(level, "recipe", problems, f"{RECIPE_NAME} can be trained from", hint)


def _problems(files: PackageFiles, description: Description | None) -> list[str]:
    from pydantic import ValidationError

    from scopezoo.models.recipe import Recipe

    try:
        recipe = Recipe.model_validate(load_yaml(files.read(RECIPE_NAME), RECIPE_NAME))
    except ScopezooError as error:
        return [str(error)]
    except ValidationError as error:
        return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    found: list[str] = []
    folder = files.location.resolve().name
    if recipe.id != folder:
        found.append(f"id: {recipe.id!r}; expected the folder's name, {folder!r}")
    if description is not None and description.version not in (None, recipe.version):
        found.append(f"version: {recipe.version}; the package has {description.version}")
    return found
