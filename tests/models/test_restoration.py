"""Restoration: patches that fit, a training that learns, figures that tell."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from scopezoo import models  # noqa: E402
from scopezoo.datasets.paired import Dataset  # noqa: E402
from scopezoo.datasets.paired.manifest import SIDES  # noqa: E402
from scopezoo.errors import FileError, StoppedError, UsageError  # noqa: E402
from scopezoo.models import training  # noqa: E402
from scopezoo.models.evaluation import evaluate, training_figures  # noqa: E402
from scopezoo.models.pair_evaluation import scored_region  # noqa: E402
from scopezoo.models.pairs import PairSource, contrast  # noqa: E402
from scopezoo.models.recipe import RestorationRecipe, read_recipe  # noqa: E402
from scopezoo.models.restoration import RestorationTask, vary, with_border  # noqa: E402
from tests.models.pairs import SHIFT_UM, make_pairs  # noqa: E402

RECIPE = (
    Path(__file__).parents[2] / "collection" / "models" / "widefield-to-confocal-3d" / "recipe.yaml"
)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(tmp_path_factory.mktemp("pairs") / "points")


def write_recipe(folder: Path, **data: Any) -> Path:
    """The committed recipe with a tiny network and few steps."""
    content: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    content["data"] = {"dataset": "points", **data}
    content["network"] = {"kind": "slices_unet_3d", "channels": [8, 12], "slices": 5}
    content["training"] |= {
        "steps": 40,
        "batch": 2,
        "patch_px": 16,
        "learning_rate": 0.01,
        "warmup_steps": 2,
        "validate_every": 20,
        "average_decay": 0.8,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def small_recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


def make_task(recipe: Path, pairs: Path) -> RestorationTask:
    content = read_recipe(recipe)
    assert isinstance(content, RestorationRecipe)
    return RestorationTask(content, pairs)


def test_the_collection_recipe_is_whole() -> None:
    recipe = read_recipe(RECIPE)
    assert isinstance(recipe, RestorationRecipe)
    assert recipe.id == RECIPE.parent.name
    assert recipe.data.registered


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("network", "slices", 4, "odd"),
        ("training", "patch_px", 18, "multiple of 4"),
        ("training", "distance_weight", 1, "training.distance_weight"),
        ("data", "split", "split.json", "data.split"),
        ("network", "kind", "resnet", "network: .*slices_unet_3d"),
    ],
)
def test_a_wrong_key_is_named(
    small_recipe: Path, section: str, key: str, value: Any, message: str
) -> None:
    content = yaml.safe_load(small_recipe.read_text())
    content[section][key] = value
    small_recipe.write_text(yaml.safe_dump(content))
    with pytest.raises(FileError, match=message) as caught:
        read_recipe(small_recipe)
    assert "\n" not in str(caught.value)


def test_batches_show_one_place_and_follow_from_the_seed(small_recipe: Path, pairs: Path) -> None:
    task = make_task(small_recipe, pairs)
    sources, targets = task.batch(np.random.default_rng(3))
    assert sources.shape == (2, 1, 5, 16, 16)
    assert targets.shape == (2, 1, 1, 16, 16)
    again, _ = task.batch(np.random.default_rng(3))
    assert torch.equal(sources, again)
    r = []
    for seed in range(20):
        sources, targets = task.batch(np.random.default_rng(seed))
        middle = sources[:, :, 2:3].flatten().numpy()
        r.append(np.corrcoef(middle, targets.flatten().numpy())[0, 1])
    assert np.median(r) > 0.5


def test_both_images_get_one_contrast(small_recipe: Path, pairs: Path) -> None:
    source = make_task(small_recipe, pairs).source
    for pair in source.pairs:
        found = []
        for side, level in zip(SIDES, source.levels[pair.id], strict=True):
            image = source.gridded(pair, side)
            z, y, x = (slice(0, size) for size in image.shape)
            found.append(contrast(level.apply(image.read((z, y, x))), image.voxel_um))
        assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_a_field_is_seen_where_the_target_is(small_recipe: Path, pairs: Path) -> None:
    recipe = read_recipe(small_recipe)
    assert isinstance(recipe, RestorationRecipe)
    source = PairSource(pairs, "test", recipe.normalisation)
    field = source.field(source.pairs[0])
    assert field.source.shape == field.target.shape == field.seen.shape
    assert not field.seen[0].any(), "the target's first plane is 0.1 µm above the source's"
    assert field.seen[2:-1, 4:-4, 4:-4].all()
    inside = field.seen
    assert np.corrcoef(field.source[inside], field.target[inside])[0, 1] > 0.6


def test_unregistered_pairs_have_their_middles_on_each_other(pairs: Path, tmp_path: Path) -> None:
    source = make_task(write_recipe(tmp_path, registered=False), pairs).source
    for pair in source.pairs:
        assert pair.source_to_target is not None
        middles = [
            (np.array(entry.shape) - 1) / 2 * list(entry.voxel_um.model_dump().values())
            for entry in (pair.source, pair.target)
        ]
        moved = pair.source_to_target.array @ [*middles[0], 1]
        np.testing.assert_allclose(moved[:3], middles[1])
    (stored, *_) = Dataset.open(pairs).pairs
    assert stored.source_to_target is not None
    np.testing.assert_allclose(stored.source_to_target.array[:3, 3], -SHIFT_UM)


def test_variations_keep_a_pair_together(small_recipe: Path) -> None:
    recipe = read_recipe(small_recipe)
    assert isinstance(recipe, RestorationRecipe)
    how = recipe.training.augmentation.model_copy(update={"noise": (0.0, 0.0)})
    stack = np.random.default_rng(0).random((5, 16, 16)).astype(np.float32)
    for seed in range(20):
        source, target = vary(stack, stack, 2, how, np.random.default_rng(seed))
        assert target.shape == (1, 16, 16)
        np.testing.assert_array_equal(source[2:3], target)


def test_beyond_a_border_there_are_copies() -> None:
    stack = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    assert with_border(stack, 2, at_end=False)[:, 0, 0].tolist() == [2, 2, 2, 3, 4, 5]
    assert with_border(stack, 2, at_end=True)[:, 0, 0].tolist() == [0, 1, 2, 3, 3, 3]


def test_training_learns_and_goes_on_where_it_was_stopped(
    small_recipe: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    wanted = torch.load(models.train(small_recipe, pairs, whole, quiet=True), weights_only=True)
    with (whole / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["loss"]) < 0.9 * float(rows[0]["loss"])
    assert (whole / "history.png").read_bytes().startswith(b"\x89PNG")
    make_batch = training._batch

    def interrupted(*arguments: Any) -> Any:
        if arguments[-1] == 25:
            os.kill(os.getpid(), signal.SIGINT)
        return make_batch(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(training, "_batch", interrupted)
        with pytest.raises(StoppedError, match=r"step 26 of 40.*--resume"):
            models.train(small_recipe, pairs, broken, quiet=True)
    path = models.train(small_recipe, pairs, broken, resume=True, quiet=True)
    found = torch.load(path, weights_only=True)
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key].numpy(), value.numpy(), rtol=1e-4, atol=1e-5)
    figures = training_figures(read_recipe(small_recipe), whole)
    assert figures["steps"] == 40
    assert figures["validation_score"] == max(float(row["score"]) for row in rows)


def test_a_dataset_without_split_cannot_be_trained_on(small_recipe: Path, pairs: Path) -> None:

    dataset = Dataset.open(pairs)
    split = dataset.manifest.split
    dataset.update(lambda old: old.model_copy(update={"split": None}))
    try:
        with pytest.raises(UsageError, match="dataset split"):
            make_task(small_recipe, pairs)
    finally:
        dataset.update(lambda old: old.model_copy(update={"split": split}))


def test_evaluation_has_every_method_and_shows_them(
    small_recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    weights = models.train(small_recipe, pairs, tmp_path / "run", quiet=True)
    result = evaluate(small_recipe, pairs, weights, unregistered=weights)
    assert (result["images"], result["part"], result["reference"]) == (1, "test", "confocal")
    table = {row["method"]: row for row in result["table"]}
    assert set(table) == {"wide-field", "trained on unregistered pairs", "this model"}
    assert table["this model"]["psnr_db"] == table["trained on unregistered pairs"]["psnr_db"]
    assert 0 < table["wide-field"]["pearson_r"] < 1
    assert (tmp_path / result["figure"]).read_bytes().startswith(b"\x89PNG")
    assert json.loads(json.dumps(result)) == result


def test_the_scored_region_lies_in_what_is_seen() -> None:
    seen = np.zeros((10, 60, 80), dtype=bool)
    seen[2:9, 20:60, 5:45] = True
    region = scored_region(seen, side_px=32)
    assert seen[region].all()
    assert seen[region].shape == (7, 32, 32)
    with pytest.raises(UsageError, match="both"):
        scored_region(np.zeros((3, 8, 8), dtype=bool))
