"""The collection's wide-field model: its data, and that it does what it is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from scopezoo.predict import Engine
from scopezoo.store import resolve
from scopezoo.store.collection import collection_folder

NAME = "widefield-to-confocal-3d"
DATASET = "widefield-confocal-simulated"
ONE_VOXEL_UM = (0.3, 0.16, 0.16)


def dataset_folder() -> Path:
    return collection_folder() / "datasets" / DATASET


def test_its_training_data_are_described_beside_it() -> None:
    from bioimageio.spec import load_description

    rdf = yaml.safe_load((collection_folder() / "models" / NAME / "rdf.yaml").read_text("utf-8"))
    described = load_description(dataset_folder() / "rdf.yaml")
    assert described.validation_summary.status == "valid-format"
    assert rdf["training_data"] == {"id": described.id}


def test_the_recipe_knows_the_specimens_that_are_unlike() -> None:
    recipe = yaml.safe_load(
        (collection_folder() / "models" / NAME / "recipe.yaml").read_text("utf-8")
    )
    simulation = yaml.safe_load((dataset_folder() / "simulation.yaml").read_text("utf-8"))
    names = {specimen["name"] for specimen in simulation["specimens"]}
    assert set(recipe["data"]["unlike"]) == {name for name in names if name.startswith("unlike")}


def test_it_sees_more_than_the_wide_field_shows() -> None:
    """A cell that no dataset holds, against the confocal image of it without noise."""
    from scopezoo.datasets.simulation import read_config, simulate_pair
    from scopezoo.datasets.simulation.config import Misregistration

    config = read_config(dataset_folder() / "simulation.yaml")
    assert config.target is not None
    source = replace(config.source, shape=(20, 112, 112))
    same_grid = replace(config.target, shape=source.shape, voxel_um=ONE_VOXEL_UM)
    update = {"source": source, "target": same_grid, "misregistration": Misregistration()}
    pair = simulate_pair(config.model_copy(update=update), 5, "mitochondria-3")
    assert pair.target_clean is not None
    stack = np.asarray(pair.source.read(), dtype=np.float32)
    found = Engine(resolve(NAME)).predict_sample({"image": stack[None, None]})["restored"][0, 0]
    before, after = (
        np.corrcoef(image.ravel(), pair.target_clean.ravel())[0, 1] for image in (stack, found)
    )
    assert after > before + 0.2
