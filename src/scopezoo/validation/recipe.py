"""Judges the recipe that lies beside a package of the collection."""

from __future__ import annotations

from scopezoo.errors import ScopezooError
from scopezoo.store.description import Description
from scopezoo.store.files import PackageFiles
from scopezoo.store.rdf import load_yaml, read_yaml
from scopezoo.validation.report import Check, judged

RECIPE_NAME = "recipe.yaml"


def recipe_check(level: str, files: PackageFiles, package: Description | None) -> Check:
    """Whether the recipe is one, and that of the package, or without one yet, of the folder."""
    problems = _problems(files, package)
    hint = "correct the recipe; scopezoo train RECIPE says the same"
    return judged(level, "recipe", problems, f"{RECIPE_NAME} can be trained from", hint)


def _problems(files: PackageFiles, package: Description | None) -> list[str]:
    from pydantic import ValidationError

    from scopezoo.models.recipe import parse_recipe

    try:
        recipe = parse_recipe(load_yaml(read_yaml(files, RECIPE_NAME), RECIPE_NAME))
    except ScopezooError as error:
        return [str(error)]
    except ValidationError as error:
        return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    found: list[str] = []
    wanted = package.id if package is not None else files.location.resolve().name
    if wanted not in (None, recipe.id):
        found.append(f"id: {recipe.id!r}; expected {wanted!r}")
    if package is not None and package.version not in (None, recipe.version):
        found.append(f"version: {recipe.version}; the package has {package.version}")
    return found
