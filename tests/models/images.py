"""A tiny dataset of noisy images and the same with much light, and recipes for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Instrument, Specimen, SpecimenSplit
from scopezoo.datasets.paired.store import NewImage, new_manifest
from scopezoo.image import Image
from tests.models.pairs import SPECIMENS, blurred

VOXEL_UM, SHAPE = (0.3, 0.11, 0.11), (6, 48, 48)
COLLECTION = Path(__file__).parents[2] / "collection" / "models"


def light(seed: int) -> NDArray[np.float64]:
    """Spots on a dark ground, ZYX, up to about 1."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (150, 3)) * np.array(SHAPE) * VOXEL_UM
    image = blurred(points, SHAPE, VOXEL_UM, (0.5, 0.2, 0.2))
    return image / image.max()


def make_images(folder: Path) -> Path:
    """An aligned, split dataset with one pair for each specimen."""
    manifest = new_manifest("spots", "Spots", instruments=[Instrument(id="microscope")])
    dataset = Dataset.create(folder, manifest)
    rng = np.random.default_rng(0)
    for seed, name in enumerate(SPECIMENS):
        images = []
        for photons in (12, 400):
            pixels = (100 + 2 * rng.poisson(1 + photons * light(seed))).astype(np.uint16)
            images.append(Image(pixels, "ZYX", dict(zip("ZYX", VOXEL_UM, strict=True))))
        source, target = (NewImage(image, "microscope") for image in images)
        dataset.add(name, Specimen(id=name), source, target, aligned=True)
    parts = {
        part: [name for name, its in SPECIMENS.items() if its == part]
        for part in ("training", "validation", "test")
    }
    split = SpecimenSplit(seed=0, parts=parts)  # type: ignore[arg-type]
    dataset.update(lambda old: old.model_copy(update={"split": split}))
    return folder


def small_recipe(name: str, folder: Path, **training: Any) -> Path:
    """A recipe of the collection with a tiny network and few steps."""
    content: dict[str, Any] = yaml.safe_load(
        (COLLECTION / name / "recipe.yaml").read_text(encoding="utf-8")
    )
    content["network"]["channels"] = [8, 12]
    content["data"] = {"dataset": "spots"}
    content["training"] |= {
        "steps": 150,
        "batch": 8,
        "patch_px": 24,
        "learning_rate": 0.005,
        "warmup_steps": 2,
        "validate_every": 75,
        "precision": "float32",
        "average_decay": 0.8,
        **training,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
