"""What networks that find objects learn from: labels, and a larger network that teaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo import models  # noqa: E402
from scopezoo.errors import FileError  # noqa: E402
from scopezoo.models.checkpoint import save_tensors  # noqa: E402
from scopezoo.models.network import load_network, make_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402
from scopezoo.models.tasks import make_task  # noqa: E402


def recipe_beside(recipe: Path, name: str, **changes: dict[str, Any]) -> Path:
    """A copy of a recipe in a folder of its own, with some keys changed."""
    content = yaml.safe_load(recipe.read_text())
    for section, values in changes.items():
        content[section] |= values
    path = recipe.parent / name / "recipe.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(content))
    return path


def with_teacher(recipe: Path) -> tuple[Path, Path]:
    """A larger model with random weights, and a recipe that learns from it."""
    larger = recipe_beside(recipe, "larger", network={"features": 24})
    torch.manual_seed(0)
    save_tensors(make_network(read_recipe(larger)).state_dict(), larger.with_name("weights.pt"))
    teacher = {"teacher": "../larger/recipe.yaml"}
    return larger, recipe_beside(recipe, "smaller", training=teacher)


@pytest.fixture(params=["small_recipe", "border_recipe"])
def recipe(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def test_what_is_wanted_lies_halfway_to_what_the_teacher_finds(recipe: Path, blobs: Path) -> None:
    larger, smaller = with_teacher(recipe)
    plain, taught = (
        make_task(read_recipe(path), path, blobs).batch(np.random.default_rng(3))
        for path in (larger, smaller)
    )
    assert torch.equal(plain[0], taught[0])
    found = load_network(read_recipe(larger), larger.with_name("weights.pt"))(plain[0])
    labels = plain[1]
    if labels.dtype == torch.int64:  # classes
        labels = torch.stack([labels == number for number in range(3)], dim=1).float()
    else:
        found = found.movedim(-1, 1)
    torch.testing.assert_close(taught[1], (labels + found) / 2)


def test_a_network_learns_from_a_teacher(recipe: Path, blobs: Path, tmp_path: Path) -> None:
    _, smaller = with_teacher(recipe)
    models.train(smaller, blobs, tmp_path / "run", quiet=True)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    losses = [float(row.split(",")[2]) for row in rows[1:]]
    assert losses[-1] < losses[0]


def test_a_teacher_of_another_kind_is_refused(recipe: Path, blobs: Path) -> None:
    larger, smaller = with_teacher(recipe)
    content = yaml.safe_load(larger.read_text())
    content["normalisation"]["low_percentile"] = 3.0
    larger.write_text(yaml.safe_dump(content))
    with pytest.raises(FileError, match=r"larger/recipe\.yaml cannot teach .* same network"):
        make_task(read_recipe(smaller), smaller, blobs)


def test_a_teacher_without_weights_is_named(recipe: Path, blobs: Path) -> None:
    larger, smaller = with_teacher(recipe)
    larger.with_name("weights.pt").unlink()
    with pytest.raises(FileError, match=r"larger/weights\.pt is missing"):
        make_task(read_recipe(smaller), smaller, blobs)
