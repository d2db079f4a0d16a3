"""A denoising recipe's package: it proves itself, and its card has what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

torch = pytest.importorskip("torch")

from scopezoo.models.network import make_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402
from scopezoo.packaging.from_recipe import metadata_from_recipe  # noqa: E402
from scopezoo.packaging.image_quality import image_rows, image_text  # noqa: E402
from scopezoo.predict.engine import Engine  # noqa: E402
from scopezoo.store import open_package  # noqa: E402
from tests.packaging.conftest import Packaged, packaged  # noqa: E402

COLLECTION = Path(__file__).parents[2] / "collection" / "models"
ROW = {
    "images": 4,
    "psnr_given_db": 31.25,
    "psnr_db": 32.0,
    "ssim": 0.91,
    "micro_ssim": None,
    "nrmse": 0.04,
    "pearson_r": 0.9,
    "agreement_um": 0.35,
}
TABLE = [
    {**ROW, "group": group, "method": method}
    for group in ("noisiest third", "unlike training")
    for method in ("noisy", "BM3D", "this model")
]
EVALUATION = {
    "kind": "denoising",
    "command": "python -m somewhere",
    "dataset": "spots",
    "part": "test",
    "images": 8,
    "planes": 3,
    "reference": "same light without noise",
    "table": TABLE,
    "figure": "comparison.png",
    "real": {"images": 1, "table": [{**ROW, "group": "Confocal", "method": "noisy"}]},
}


@pytest.fixture(scope="module")
def denoising(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    source = tmp_path_factory.mktemp("denoising") / "tiny"
    source.mkdir()
    path = COLLECTION / "denoise-care-3d" / "recipe.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["network"]["channels"] = [4, 6]
    content["test_image"]["size_px"] = {"z": 10, "y": 64, "x": 64}
    (source / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    stack = np.random.default_rng(0).poisson(30, (10, 64, 64)).astype(np.uint16)
    tifffile.imwrite(source / "test_image.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    torch.manual_seed(0)
    network = make_network(read_recipe(source / "recipe.yaml"))
    torch.save(network.state_dict(), source / "weights.pt")
    (source / "comparison.png").write_bytes(b"a picture")
    (source / "measured.json").write_text(json.dumps({"evaluation": EVALUATION}))
    return packaged(source, source.parent / "tiny.zip")


def test_the_card_tells_of_the_teacher(tmp_path: Path) -> None:
    path = COLLECTION / "denoise-care-2d" / "recipe.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["id"] = "smaller"
    content["training"]["teacher"] = str(path)
    taught = tmp_path / "recipe.yaml"
    taught.write_text(yaml.safe_dump(content), encoding="utf-8")
    (tmp_path / "test_image.tif").write_bytes(path.with_name("test_image.tif").read_bytes())
    metadata = metadata_from_recipe(read_recipe(taught), taught, {"evaluation": EVALUATION})
    assert "half of what it learned is what `denoise-care-2d` finds" in str(metadata.how_trained)


@pytest.mark.parametrize("weights_format", ["onnx", "torchscript", "pytorch_state_dict"])
def test_core_reproduces_every_format(denoising: Packaged, weights_format: str) -> None:
    from bioimageio.core import test_model

    assert test_model(denoising.zip, weight_format=weights_format).status == "passed"


def test_tiles_give_what_the_whole_stack_gives(denoising: Packaged) -> None:
    package = open_package(denoising.zip)
    stack = np.random.default_rng(0).poisson(100, (1, 1, 12, 150, 130)).astype(np.float32)
    whole = Engine(package).predict_sample({"image": stack})["denoised"]
    tiled = Engine(package, memory_bytes=60 << 20).predict_sample({"image": stack})["denoised"]
    assert whole.shape == stack.shape
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_card_has_the_tables_and_the_picture(denoising: Packaged) -> None:
    card = (denoising.folder / "README.md").read_text(encoding="utf-8")
    assert card.count("| this model | 31.2 | 32.0 | 0.910 | – | 0.900 | 0.35 |") == 2
    assert "Noisiest third (4 images):" in card
    assert "## Real noisy images" in card
    assert (denoising.folder / "comparison.png").read_bytes() == b"a picture"
    assert "errors count against the noise" in card


def test_the_models_own_figures_are_told_without_those_that_are_missing() -> None:
    rows = image_rows(EVALUATION)
    assert len(rows) == 2 * 5
    assert ("SSIM, noisiest third", "structural similarity, noisiest third", 0.91) in rows


def test_labelfree_has_its_own_columns() -> None:
    row = {
        "group": "like training",
        "method": "this model",
        "images": 1,
        "pearson_r": 0.912,
        "pearson_r_noisy": 0.9,
        "normalised_error": 0.2,
        "psnr_db": 25.0,
        "ssim": 0.8,
    }
    text = image_text({**EVALUATION, "kind": "label-free", "table": [row]})
    assert "Like training (1 image):" in text
    assert "| this model | 0.912 | 0.900 | 0.200 | 25.0 | 0.800 |" in text
