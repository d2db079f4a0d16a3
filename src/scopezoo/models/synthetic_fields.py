"""Synthetic images with known labels, as a folder that a segmentation network is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from scopezoo.datasets.split import Split, SplitEntry
from scopezoo.models.looks import looks_of, numbered, with_texture
from scopezoo.models.patches import Field, field_probabilities
from scopezoo.models.pix2pix import Pix2PixGenerator2d
from scopezoo.models.synthesis import make_image

SYNTHETIC = "synthetic"
SPLIT = "split.json"


def synthetic_fields(
    generator: Pix2PixGenerator2d, real: Sequence[Field], count: int, seed: int
) -> list[Field]:
    """`count` images for label images drawn from `real`, every kind of image often enough.

    The nuclei of an image have the looks of its real ones, dealt out anew.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(real), size=count, p=field_probabilities(list(real)))
    made = []
    for field in (real[i] for i in drawn):
        looks = rng.permutation(looks_of(field.image, field.labels))
        image = make_image(generator, with_texture(numbered(field.labels, looks), rng))
        made.append(replace(field, image=image, stratum=SYNTHETIC))
    return made


def write_fields(learn: Sequence[Field], check: Sequence[Field], folder: Path) -> None:
    """`images/`, `masks/` and `split.json`, with a training and a validation part."""
    import tifffile

    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    entries = {}
    for number, field in enumerate([*learn, *check]):
        tifffile.imwrite(folder / "images" / f"{number:04}.tif", field.image)
        tifffile.imwrite(folder / "masks" / f"{number:04}.tif", field.labels)
        part = "training" if number < len(learn) else "validation"
        entries[f"{number:04}"] = SplitEntry(part=part, group=number, stratum=field.stratum)  # type: ignore[arg-type]
    Split(dataset=folder.name, seed=0, images=entries).write(folder / SPLIT)
