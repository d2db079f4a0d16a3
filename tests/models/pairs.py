"""A tiny dataset of pairs, of points that two microscopes blur differently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Instrument, Specimen, SpecimenSplit
from scopezoo.datasets.paired.store import NewImage, new_manifest
from scopezoo.image import Image

SOURCE_UM, SOURCE_SHAPE, SOURCE_BLUR_UM = (0.3, 0.16, 0.16), (14, 40, 40), (0.8, 0.25, 0.25)
TARGET_UM, TARGET_SHAPE, TARGET_BLUR_UM = (0.2, 0.1, 0.1), (22, 68, 68), (0.35, 0.14, 0.14)
SHIFT_UM = np.array([0.1, 0.25, -0.2])
"""Of the target's field against the source's."""
SPECIMENS = {"one": "training", "two": "training", "three": "validation", "four": "test"}


def blurred(
    points_um: NDArray[np.float64],
    shape: tuple[int, int, int],
    voxel_um: tuple[float, float, float],
    sigma_um: tuple[float, float, float],
) -> NDArray[np.float64]:
    """Sum of Gaussians at exact places, ZYX."""
    profiles = [
        np.exp(-0.5 * ((np.arange(size) * step - points_um[:, [axis]]) / sigma) ** 2)
        for axis, (size, step, sigma) in enumerate(zip(shape, voxel_um, sigma_um, strict=True))
    ]
    return np.einsum("nz,ny,nx->zyx", *profiles, optimize=True)


def pair_images(seed: int) -> tuple[Image, Image]:
    """Source and target of one field, uint16."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (120, 3)) * np.array(SOURCE_SHAPE) * SOURCE_UM
    images = []
    for place, shape, voxel, sigma, level in (
        (points, SOURCE_SHAPE, SOURCE_UM, SOURCE_BLUR_UM, 60),
        (points - SHIFT_UM, TARGET_SHAPE, TARGET_UM, TARGET_BLUR_UM, 400),
    ):
        photons = 20 + level * blurred(place, shape, voxel, sigma)
        pixels = (100 + 2 * rng.poisson(photons)).astype(np.uint16)
        images.append(Image(pixels, "ZYX", dict(zip("ZYX", voxel, strict=True))))
    return images[0], images[1]


def make_pairs(folder: Path) -> Path:
    """A registered, split dataset with one pair for each specimen."""
    manifest = new_manifest(
        "points", "Points", instruments=[Instrument(id="coarse"), Instrument(id="fine")]
    )
    dataset = Dataset.create(folder, manifest)
    matrix = np.eye(4)
    matrix[:3, 3] = -SHIFT_UM
    for seed, name in enumerate(SPECIMENS):
        source, target = pair_images(seed)
        dataset.add(name, Specimen(id=name), NewImage(source, "coarse"), NewImage(target, "fine"))
        dataset.set_registration(name, matrix, None, status="registered")
    parts = {
        part: [name for name, its in SPECIMENS.items() if its == part]
        for part in ("training", "validation", "test")
    }
    split = SpecimenSplit(seed=0, parts=parts)  # type: ignore[arg-type]
    dataset.update(lambda old: old.model_copy(update={"split": split}))
    return folder
