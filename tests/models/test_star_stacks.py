"""A recipe of stacks: trains, is measured on new specimens and on real stacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo import models  # noqa: E402
from scopezoo.datasets.nuclei import simulate_nuclei_dataset  # noqa: E402
from scopezoo.errors import FileError  # noqa: E402
from scopezoo.models.evaluation import evaluate  # noqa: E402
from scopezoo.models.recipe import StarDist3dRecipe, parse_recipe, read_recipe  # noqa: E402
from scopezoo.models.star_real import zoom_to  # noqa: E402
from tests.datasets.nuclei.small import CONFIG, tissue  # noqa: E402

RECIPE = Path(__file__).parents[2] / "collection" / "models" / "nuclei-stardist-3d" / "recipe.yaml"
SPECIMENS = (
    tissue(),
    tissue(name="check", part="validation"),
    tissue(name="new", part="test"),
    tissue(name="unlike-new", part="test"),
)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stacks") / "data"
    simulate_nuclei_dataset(CONFIG.model_copy(update={"specimens": SPECIMENS}), folder)
    return folder


def small_content(stacks: Path) -> dict[str, Any]:
    """The committed recipe with a tiny network and few steps."""
    content: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    split = str(stacks / "split.json")
    content["data"] = {"dataset": "small", "split": split, "unlike": ["unlike-new"]}
    content["network"] = {"kind": "stardist_3d", "channels": [6, 8], "features": 8, "rays": 16}
    content["training"] |= {
        "steps": 12,
        "batch": 2,
        "patch_px": 32,
        "patch_planes": 16,
        "learning_rate": 0.01,
        "warmup_steps": 2,
        "validate_every": 6,
        "precision": "float32",
        "average_decay": 0.8,
    }
    return content


@pytest.mark.slow
def test_it_learns_and_is_measured(stacks: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(small_content(stacks)), encoding="utf-8")
    weights = models.train(path, stacks, tmp_path / "run", quiet=True)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert float(rows[-1].split(",")[2]) < float(rows[1].split(",")[2])
    figures = evaluate(path, stacks, weights, real=stacks)
    assert figures["images"] == figures["unlike"]["images"] == 1
    assert list(figures["unlike"]["average_precision_by_stratum"]) == ["unlike-new"]
    assert figures["real"]["images"] == 4
    assert figures["real"]["table"] != []
    assert "--real REAL" in figures["command"]
    json.dumps(figures)


def test_a_stack_is_brought_to_the_voxels_of_training(stacks: Path, tmp_path: Path) -> None:
    import tifffile

    recipe = read_recipe(RECIPE)
    assert isinstance(recipe, StarDist3dRecipe)
    zoom = zoom_to(recipe, stacks / "images" / "new-01.tif")
    np.testing.assert_allclose(zoom, (0.8 / 0.5, 0.6 / 0.4, 0.6 / 0.4), rtol=1e-3)
    path = tmp_path / "unknown.tif"
    tifffile.imwrite(path, np.zeros((8, 8, 8), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(FileError, match="does not tell its voxel size along Z, Y, X"):
        zoom_to(recipe, path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("patch_px", 60, "multiple of 8"), ("patch_planes", 15, "multiple of 2")],
)
def test_a_patch_that_does_not_fit_the_network_is_refused(
    stacks: Path, key: str, value: int, message: str
) -> None:
    content = small_content(stacks)
    content["training"][key] = value
    with pytest.raises(ValueError, match=message):
        parse_recipe(content)
