"""A restoration recipe's package: it proves itself, and its card has what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from scopezoo.models.network import make_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402
from scopezoo.predict.engine import Engine  # noqa: E402
from scopezoo.store import open_package  # noqa: E402
from scopezoo.store.glance import glance  # noqa: E402
from tests.packaging.conftest import Packaged, packaged  # noqa: E402

COLLECTION = Path(__file__).parents[2] / "collection" / "models" / "widefield-to-confocal-3d"
ROW = {
    "images": 2,
    "psnr_db": 27.1234,
    "ssim": 0.91,
    "micro_ssim": None,
    "nrmse": 0.04,
    "pearson_r": 0.9,
    "agreement_um": 0.35,
}


@pytest.fixture(scope="module")
def restoration(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    source = tmp_path_factory.mktemp("restoration") / "tiny"
    source.mkdir()
    content = yaml.safe_load((COLLECTION / "recipe.yaml").read_text(encoding="utf-8"))
    content["network"] = {"kind": "slices_unet_3d", "channels": [4, 6], "slices": 5}
    content["training"]["patch_px"] = 16
    content["test_image"]["size_px"] = {"z": 12, "y": 72, "x": 72}
    content["real_images"] = {
        "text": "It invents nothing.",
        "picture": "real.png",
        "caption": "A. Author",
    }
    (source / "real.png").write_bytes(b"another picture")
    (source / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    (source / "test_stack.tif").write_bytes((COLLECTION / "test_stack.tif").read_bytes())
    torch.manual_seed(0)
    network = make_network(read_recipe(source / "recipe.yaml"))
    torch.save(network.state_dict(), source / "weights.pt")
    (source / "comparison.png").write_bytes(b"a picture")
    rows = [
        {**ROW, "group": group, "method": method}
        for group in ("like training", "unlike training")
        for method in ("wide-field", "this model")
    ]
    evaluation = {
        "command": "python -m somewhere",
        "dataset": "points",
        "part": "test",
        "images": 4,
        "reference": "confocal",
        "table": rows,
        "figure": "comparison.png",
    }
    (source / "measured.json").write_text(json.dumps({"evaluation": evaluation}))
    return packaged(source, source.parent / "tiny.zip")


@pytest.mark.parametrize("weights_format", ["onnx", "torchscript", "pytorch_state_dict"])
def test_core_reproduces_every_format(restoration: Packaged, weights_format: str) -> None:
    from bioimageio.core import test_model

    assert test_model(restoration.zip, weight_format=weights_format).status == "passed"


def test_halo_covers_what_an_output_voxel_sees(restoration: Packaged) -> None:
    halo = restoration.report.figures.halo
    assert halo.radius_px["z"] == 2
    assert halo.needed_px["z"] == 2
    radius, needed, stride = halo.radius_px["y"], halo.needed_px["y"], 4
    assert radius is not None
    assert needed is not None
    assert 2 < needed < radius + stride, "rounded up to the stride"


def test_tiles_give_what_the_whole_stack_gives(restoration: Packaged) -> None:
    package = open_package(restoration.zip)
    rng = np.random.default_rng(0)
    stack = rng.poisson(100, (1, 1, 40, 150, 130)).astype(np.float32)
    whole = Engine(package).predict_sample({"image": stack})["restored"]
    tiled = Engine(package, memory_bytes=60 << 20).predict_sample({"image": stack})["restored"]
    assert whole.shape == stack.shape
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_card_has_the_tables_and_the_picture(restoration: Packaged) -> None:
    card = (restoration.folder / "README.md").read_text(encoding="utf-8")
    assert "| this model | 27.1 | 0.910 | – | 0.0400 | 0.900 | 0.35 |" in card
    assert card.count("| wide-field |") == 2
    assert "(comparison.png)" in card
    assert (restoration.folder / "comparison.png").read_bytes() == b"a picture"
    assert "trained on simulated images alone" in card
    assert "It invents nothing.\n\n![" in card
    assert "(real.png)\n\nA. Author" in card
    assert (restoration.folder / "real.png").read_bytes() == b"another picture"
    rdf = yaml.safe_load((restoration.folder / "rdf.yaml").read_text(encoding="utf-8"))
    assert "evaluations" not in rdf["config"]["bioimageio"], "its dataset has no address"
    quality = glance(open_package(restoration.folder)).quality
    assert quality is not None
    assert (str(quality), quality.part) == ("PSNR (dB), like training: 27.1", "test")
    axes = {axis.get("id"): axis for axis in rdf["inputs"][0]["axes"]}
    assert axes["z"]["scale"] == 0.3
    assert {"step", "min"} == set(axes["x"]["size"])
