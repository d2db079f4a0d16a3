"""Every model of the collection is what the collection promises."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scopezoo.predict import Engine
from scopezoo.store import model_ids, resolve
from scopezoo.store.collection import collection_folder

MAX_WEIGHTS_BYTES = 8_000_000


def test_there_is_a_model() -> None:
    assert "nuclei-stardist-2d" in model_ids()


@pytest.mark.parametrize("name", model_ids())
def test_a_model_is_a_package_with_its_figures(name: str) -> None:
    package = resolve(name)
    assert package.id == name
    for weights in package.description.weights.values():
        assert len(package.read(weights.file)) <= MAX_WEIGHTS_BYTES
    folder = collection_folder() / "models" / name
    measured = json.loads((folder / "measured.json").read_text())
    assert measured["evaluation"]["part"] == "test"
    assert measured["evaluation"]["command"]
    card = (folder / "README.md").read_text()
    assert "# Validation" in card
    assert (folder / "recipe.yaml").exists()


@pytest.mark.parametrize("name", model_ids())
def test_a_model_reproduces_its_test_output(name: str) -> None:
    package = resolve(name)
    if any(
        step.get("id") == "stardist_postprocessing" for step in package.description.outputs[0].steps
    ):
        pytest.importorskip("stardist")
    folder = collection_folder() / "models" / name
    inputs = {
        tensor.id: np.load(folder / tensor.test_tensor.source)
        for tensor in package.description.inputs
        if tensor.test_tensor is not None
    }
    found = Engine(package).predict_sample(inputs)
    for tensor in package.description.outputs:
        assert tensor.test_tensor is not None
        expected = np.load(folder / tensor.test_tensor.source)
        differing = np.mean(~np.isclose(found[tensor.id], expected, rtol=1e-3, atol=1e-3))
        assert differing < 1e-4
