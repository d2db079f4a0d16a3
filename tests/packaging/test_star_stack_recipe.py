"""The package of a StarDist recipe for stacks: labels on the stack's own grid, and no seams."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo.models.network import make_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402
from scopezoo.predict.engine import Engine  # noqa: E402
from scopezoo.store import open_package  # noqa: E402
from tests.packaging.conftest import Packaged, packaged  # noqa: E402

COLLECTION = Path(__file__).parents[2] / "collection" / "models" / "nuclei-stardist-3d"
WHOLE = {"whole_objects": 8, "whole_objects_found": 7}
TABLE = [{"iou": iou, "average_precision": 0.9 - iou / 2} for iou in (0.5, 0.7)]


@pytest.fixture(scope="module")
def stars(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    source = tmp_path_factory.mktemp("stars") / "tiny"
    source.mkdir()
    content = yaml.safe_load((COLLECTION / "recipe.yaml").read_text(encoding="utf-8"))
    content["network"] = {"kind": "stardist_3d", "channels": [4, 6], "features": 4, "rays": 16}
    content["training"] |= {"patch_px": 16, "patch_planes": 8}
    content["test_image"]["size_px"] = {"z": 20, "y": 64, "x": 64}
    content.pop("real_images", None)
    (source / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    stack = np.random.default_rng(0).poisson(60, (60, 128, 128)).astype(np.uint16)
    axes = {"axes": "ZYX"}
    tifffile.imwrite(source / content["test_image"]["image"], stack, imagej=True, metadata=axes)
    torch.manual_seed(0)
    network = make_network(read_recipe(source / "recipe.yaml")).eval()
    _find_some_objects(network)
    torch.save(network.state_dict(), source / "weights.pt")
    evaluation = {
        "command": "python -m somewhere",
        "dataset": "nuclei",
        "part": "test",
        "images": 2,
        "objects": 30,
        "table": TABLE,
        **WHOLE,
        "average_precision_by_stratum": {"tissue": 0.65},
        "unlike": {
            "images": 1,
            "objects": 9,
            "table": [row | {"average_precision": 0.4} for row in TABLE],
            "average_precision_by_stratum": {"long": 0.4},
            **WHOLE,
        },
        "thresholds": {"probability": 0.5, "overlap": 0.3},
    }
    (source / "measured.json").write_text(json.dumps({"evaluation": evaluation}))
    return packaged(source, source.parent / "tiny.zip")


def _find_some_objects(network: torch.nn.Module) -> None:
    """Fresh weights say the same of all voxels; these differ enough for a few balls of 5 voxels."""
    with torch.no_grad():
        logits, _ = network.raw(torch.rand(1, 1, 40, 80, 80))
        network.head.weight[0] /= logits.std()
        network.head.bias[0] = (network.head.bias[0] - logits.mean()) / logits.std() - 2
        network.head.weight[1:] = 0
        network.head.bias[1:] = 0.5


@pytest.mark.parametrize("weights_format", ["onnx", "pytorch_state_dict"])
def test_core_reproduces_it(stars: Packaged, weights_format: str) -> None:
    from bioimageio.core import test_model

    assert test_model(stars.zip, weight_format=weights_format).status == "passed"


def test_labels_are_as_large_as_the_stack(stars: Packaged) -> None:
    rdf = yaml.safe_load((stars.folder / "rdf.yaml").read_text(encoding="utf-8"))
    axes = {axis.get("id"): axis for axis in rdf["outputs"][0]["axes"]}
    assert [axes[a]["scale"] for a in "zyx"] == [0.5, 0.4, 0.4]
    assert rdf["outputs"][0]["postprocessing"][0]["kwargs"]["grid"] == [2, 4, 4]
    image = np.load(stars.folder / "test_image.npy")
    labels = np.load(stars.folder / "test_labels.npy")
    assert labels.shape[1:4] == image.shape[2:]
    assert labels.max() > 3


@pytest.mark.parametrize("shape", [(22, 60, 70), (44, 150, 131)])
def test_tiles_give_what_the_whole_stack_gives(
    stars: Packaged, shape: tuple[int, int, int]
) -> None:
    package = open_package(stars.zip)
    stack = np.random.default_rng(1).poisson(60, (1, 1, *shape)).astype(np.float32)
    whole = Engine(package).predict_sample({"image": stack})["labels"]
    engine = Engine(package, tile={"z": 40, "y": 128, "x": 128})
    tiled = engine.predict_sample({"image": stack})["labels"]
    assert whole.shape == (1, *shape, 1)
    assert whole.any()
    np.testing.assert_array_equal(tiled, whole)


def test_the_card_has_both_tables(stars: Packaged) -> None:
    card = (stars.folder / "README.md").read_text(encoding="utf-8")
    assert "| AP 0.5 | 0.650 | 0.400 |" in card
    assert "| long | unlike training | 0.400 |" in card
    assert "cuts are found (IoU 0.5) 7 times of 8" in card
    assert "StarDist (3D U-Net)" in card
    assert "32×" not in card
    assert "patches of 8×16×16 pixels" in card
