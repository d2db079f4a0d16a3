"""A tiny dataset and recipe that train in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tifffile
import yaml

from scopezoo.datasets import simulate_nuclei
from scopezoo.datasets.split import Split, SplitEntry

MODELS = Path(__file__).parents[2] / "collection" / "models"
RECIPE = MODELS / "nuclei-stardist-2d" / "recipe.yaml"
SYNTHESIS = MODELS / "synthesize-pix2pix-2d"
FEW_STEPS = {
    "steps": 24,
    "batch": 2,
    "patch_px": 48,
    "learning_rate": 0.01,
    "warmup_steps": 2,
    "validate_every": 8,
    "precision": "float32",
    "average_decay": 0.8,
}
PARTS = ("training", "training", "training", "validation", "test")


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five simulated images with masks, and their split file, in one folder."""
    folder = tmp_path_factory.mktemp("blobs")
    entries = {}
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for seed, part in enumerate(PARTS):
        image, labels = simulate_nuclei((96, 80), seed, nuclei=30)
        tifffile.imwrite(folder / "images" / f"{seed}.tif", image)
        tifffile.imwrite(folder / "masks" / f"{seed}.tif", labels.astype("uint16"))
        entries[str(seed)] = SplitEntry(part=part, group=seed, stratum="blobs")  # type: ignore[arg-type]
    Split(dataset="blobs", seed=0, images=entries).write(folder / "split.json")
    return folder


@pytest.fixture
def small_recipe(blobs: Path, tmp_path: Path) -> Path:
    """The committed recipe with a tiny network, few steps and the simulated data."""
    network = {"kind": "stardist_2d", "channels": [8, 16], "features": 16, "rays": 8}
    return write_small_recipe(RECIPE, network, blobs, tmp_path)


@pytest.fixture
def border_recipe(blobs: Path, tmp_path: Path) -> Path:
    """The same of the U-Net that tells borders."""
    network = {"kind": "border_unet_2d", "channels": [8, 16], "features": 16}
    recipe = RECIPE.parents[1] / "nuclei-unet-2d" / "recipe.yaml"
    return write_small_recipe(recipe, network, blobs, tmp_path)


def write_small_recipe(recipe: Path, network: dict[str, Any], blobs: Path, folder: Path) -> Path:
    """A recipe of the collection with another network, few steps and the data in `blobs`."""
    content: dict[str, Any] = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    content["data"] = {"dataset": "blobs", "split": str(blobs / "split.json")}
    content["network"] = network
    content["training"] |= FEW_STEPS
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def small_synthesis(blobs: Path, tmp_path: Path) -> Path:
    """The recipe of synthetic images, as small, with that of the networks that measure them."""
    folder = tmp_path / "synthesis"
    folder.mkdir()
    content: dict[str, Any] = yaml.safe_load((SYNTHESIS / "recipe.yaml").read_text("utf-8"))
    content["data"] = {"dataset": "blobs", "split": str(blobs / "split.json")}
    content["network"] |= {"channels": [8, 12], "features": 8}
    content["training"] |= {**FEW_STEPS, "critic": [8, 12]}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    content = yaml.safe_load((SYNTHESIS / "segmentation.yaml").read_text("utf-8"))
    content["network"] |= {"channels": [8, 16], "features": 16, "rays": 8}
    content["training"] |= {**FEW_STEPS, "steps": 4, "validate_every": 4}
    (folder / "segmentation.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / "recipe.yaml"
