"""A recipe that a dataset is given can be trained as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scopezoo.datasets.paired import Dataset  # noqa: E402
from scopezoo.datasets.paired.manifest import Author  # noqa: E402
from scopezoo.errors import FileError, UsageError  # noqa: E402
from scopezoo.formats import open_image  # noqa: E402
from scopezoo.models.recipe import RestorationRecipe, read_recipe  # noqa: E402
from scopezoo.models.starting_recipe import write_starting_recipe  # noqa: E402
from scopezoo.models.tasks import make_task  # noqa: E402
from scopezoo.packaging.from_recipe import metadata_from_recipe  # noqa: E402
from tests.cli.dataset_call import call  # noqa: E402
from tests.models.pairs import SOURCE_UM, make_pairs  # noqa: E402


@pytest.fixture
def pairs(tmp_path: Path) -> Dataset:
    made = Dataset.open(make_pairs(tmp_path / "points"))
    about = {"license": "CC0-1.0", "authors": [Author(name="Ada Example")]}
    made.update(lambda old: old.model_copy(update=about))
    return made


@pytest.mark.parametrize("small", [True, False])
def test_it_fits_the_pairs(pairs: Dataset, tmp_path: Path, small: bool) -> None:
    path = write_starting_recipe(pairs, tmp_path / "my-model", small=small)
    recipe = read_recipe(path)
    assert isinstance(recipe, RestorationRecipe)
    assert recipe.id == "my-model"
    assert recipe.authors[0].name == "Ada Example"
    assert tuple(recipe.pixel_size_um.values()) == pytest.approx(SOURCE_UM)
    # the fields have 40 pixels a side, in part beyond the target's
    assert recipe.training.patch_px in (24, 32)
    images, wanted = make_task(recipe, path, pairs.location).batch(np.random.default_rng(0))
    assert images.shape[2] == recipe.network.slices
    assert wanted.shape[3:] == (recipe.training.patch_px, recipe.training.patch_px)
    proof = open_image(path.parent / recipe.test_image.image)
    assert dict(zip("zyx", proof.shape, strict=True)) == dict(recipe.test_image.size_px)
    metadata = metadata_from_recipe(recipe, path, {})
    assert metadata.inputs[0].test.credit == (
        "the middle of four of the dataset's test part (CC0-1.0)"
    )


def test_a_recipe_is_not_replaced(pairs: Dataset, tmp_path: Path) -> None:
    path = write_starting_recipe(pairs, tmp_path / "my-model")
    before = path.read_bytes()
    with pytest.raises(FileError, match="exists: edit it"):
        write_starting_recipe(pairs, tmp_path / "my-model", small=True)
    assert path.read_bytes() == before


def test_what_cannot_be_learned_from_is_told(pairs: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'My Model' cannot be a model's id"):
        write_starting_recipe(pairs, tmp_path / "My Model")
    few = [pair for pair in pairs.pairs if pair.specimen != "three"]
    pairs.update(lambda old: old.model_copy(update={"pairs": few}))
    with pytest.raises(UsageError, match="no registered pair in validation"):
        write_starting_recipe(pairs, tmp_path / "model")
    pairs.update(lambda old: old.model_copy(update={"split": None}))
    with pytest.raises(UsageError, match="run `scopezoo dataset split` first"):
        write_starting_recipe(pairs, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_command_says_what_comes_next(
    pairs: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("recipe", pairs.location, "-o", tmp_path / "m", "--small") == 0
    assert f"scopezoo train {tmp_path / 'm' / 'recipe.yaml'}" in capsys.readouterr().err
