"""A recipe of synthetic images as a package: whole and in tiles, and what its card says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

torch = pytest.importorskip("torch")

from scopezoo.datasets import simulate_nuclei  # noqa: E402
from scopezoo.models.looks import with_texture  # noqa: E402
from scopezoo.models.network import make_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402
from scopezoo.packaging.synthesis_quality import synthesis_rows  # noqa: E402
from scopezoo.predict.engine import Engine  # noqa: E402
from scopezoo.store import open_package  # noqa: E402
from tests.packaging.conftest import Packaged, packaged  # noqa: E402

RECIPE = (
    Path(__file__).parents[2] / "collection" / "models" / "synthesize-pix2pix-2d" / "recipe.yaml"
)
SETS = ((0, 9), (2, 9))
EVALUATION = {
    "kind": "synthesis",
    "command": "python -m somewhere",
    "dataset": "blobs",
    "part": "test",
    "images": 8,
    "objects": 90,
    "table": [
        {
            "real_images": real,
            "synthetic_images": synthetic,
            "iou": iou,
            "average_precision": 0.75 - iou / 4,
        }
        for real, synthetic in SETS
        for iou in (0.5, 0.9)
    ],
    "brightness_r": 0.912,
    "unevenness_r": 0.5,
    "figure": "comparison.png",
}


@pytest.fixture(scope="module")
def synthesis(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    source = tmp_path_factory.mktemp("synthesis") / "tiny"
    source.mkdir()
    content = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    content["network"] |= {"channels": [4, 6], "features": 4}
    content["test_image"]["size_px"] = {"y": 64, "x": 64}
    (source / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    labels = with_texture(simulate_nuclei((64, 64), 0)[1], np.random.default_rng(0))
    tifffile.imwrite(source / "test_labels.tif", labels, imagej=True, metadata={"axes": "YX"})
    torch.manual_seed(0)
    network = make_network(read_recipe(source / "recipe.yaml"))
    torch.save(network.state_dict(), source / "weights.pt")
    (source / "comparison.png").write_bytes(b"a picture")
    (source / "measured.json").write_text(json.dumps({"evaluation": EVALUATION}))
    return packaged(source, source.parent / "tiny.zip")


@pytest.mark.parametrize("weights_format", ["onnx", "torchscript", "pytorch_state_dict"])
def test_core_reproduces_every_format(synthesis: Packaged, weights_format: str) -> None:
    from bioimageio.core import test_model

    assert test_model(synthesis.zip, weight_format=weights_format).status == "passed"


@pytest.mark.parametrize("textured", [True, False])
def test_tiles_give_what_the_whole_label_image_gives(synthesis: Packaged, textured: bool) -> None:
    package = open_package(synthesis.zip)
    labels = simulate_nuclei((301, 260), 4, nuclei=90)[1]
    given = with_texture(labels, np.random.default_rng(0)) if textured else labels
    sample = {"labels": given.astype(np.float32)[None, None]}
    whole = Engine(package).predict_sample(sample)["fluorescence"]
    tiled = Engine(package, memory_bytes=20 << 20).predict_sample(sample)["fluorescence"]
    assert whole.shape == (1, 1, 301, 260)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_card_tells_what_numbers_mean_and_what_was_measured(synthesis: Packaged) -> None:
    card = (synthesis.folder / "README.md").read_text(encoding="utf-8")
    assert "| 9 synthetic images | 0.625 | 0.525 |" in card
    assert "| 2 real and 9 synthetic images | 0.625 | 0.525 |" in card
    assert "8 real images (90 nuclei) of the test part of blobs" in card
    assert "r = 0.91" in card
    assert "no observation" in card
    assert "5 · (n - 1) mod 8" in card
    assert (synthesis.folder / "comparison.png").read_bytes() == b"a picture"


def test_the_description_has_the_precision_of_every_set() -> None:
    rows = synthesis_rows(EVALUATION)
    assert [short for short, _, _ in rows[:2]] == ["AP 0.5, 0r+9s", "AP 0.9, 0r+9s"]
    assert rows[-1][2] == pytest.approx(0.525)
