"""Recipes: read whole, refused with the key that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scopezoo.errors import FileError
from scopezoo.models.recipe import read_recipe, read_recipe_split
from tests.models.conftest import RECIPE, SYNTHESIS


@pytest.mark.parametrize("path", [RECIPE, SYNTHESIS / "recipe.yaml"])
def test_the_collection_recipe_is_whole(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.id == path.parent.name
    assert set(read_recipe_split(recipe, path).ids("test"))  # type: ignore[arg-type]
    assert all(citation.doi.startswith("10.") for citation in recipe.cite)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("training", "learning_rte", 0.1, "training.learning_rte"),
        ("network", "ray", 3, "network.ray"),
        (None, "sources", [], "sources"),
        ("training", "steps", 0, "training.steps"),
        ("training", "patch_px", 50, "multiple of 4"),
        ("normalisation", "high_percentile", 101, "normalisation.high_percentile"),
        ("training", "precision", "int8", "training.precision"),
        (None, "id", "../escape", "id"),
    ],
)
def test_a_wrong_key_is_named(
    small_recipe: Path, section: str | None, key: str, value: Any, message: str
) -> None:
    content = yaml.safe_load(small_recipe.read_text())
    (content[section] if section else content)[key] = value
    small_recipe.write_text(yaml.safe_dump(content))
    with pytest.raises(FileError, match=message) as caught:
        read_recipe(small_recipe)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- a\n- b", b"a: [", b"\xff\xfe\x00", b"just text"])
def test_what_is_no_recipe_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"recipe\.yaml is not") as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="missing"):
        read_recipe(tmp_path / "recipe.yaml")
