"""What denoising models do to real images that were taken often enough to know them without noise.

A folder with raw/ and gt/, images of the same names in both: `<microscope>_<sample>_<draw>.png`, as
in the test set of the fluorescence microscopy denoising dataset (Zhang et al., CVPR 2019). Nothing
is trained on them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from scopezoo.errors import FileError
from scopezoo.formats import open_image
from scopezoo.models.image_evaluation import (
    FIGURES,
    MODEL,
    Method,
    denormalised,
    image_fidelity,
    mean_rows,
)
from scopezoo.models.network import load_network
from scopezoo.models.recipe import ImageRecipe, read_recipe
from scopezoo.models.samples import Stack
from scopezoo.models.stabilised import bm3d_denoised, estimated_detector

FIRST_DRAW = "_1"
"""One noisy image of each field is enough: the others share its truth."""
SIDE_PX = 256
"""Of the square in the middle that is measured, for BM3D is slow."""


def evaluate_real(
    recipe: ImageRecipe, weights: Path, folder: Path, *, beside: Path | None = None
) -> dict[str, Any]:
    """Means for each microscope. Raises FileError where the folder has no such images."""
    paths = sorted((folder / "raw").glob(f"*{FIRST_DRAW}.png"))
    if not paths:
        raise FileError(f"{folder} has no raw/*{FIRST_DRAW}.png: expected noisy images there")
    methods: dict[str, Method] = {"noisy": lambda stack: stack}
    if find_spec("bm3d"):
        methods["BM3D"] = lambda stack: bm3d_denoised(stack, estimated_detector(stack[0]))
    if beside:
        other = read_recipe(beside)
        assert isinstance(other, ImageRecipe)
        methods[other.id] = _denoiser(other, beside.parent / "weights.pt")
    methods[MODEL] = _denoiser(recipe, weights)
    rows: list[dict[str, Any]] = []
    for path in paths:
        noisy, wanted = _plane(path), _plane(folder / "gt" / path.name)
        for name, method in methods.items():
            figures = image_fidelity(method(noisy), wanted, 1.0)
            rows.append(
                {"group": path.name.split("_")[0], "image": path.stem, "method": name, **figures}
            )
    return {"images": len(paths), "table": mean_rows(rows, FIGURES), "by_image": rows}


def _denoiser(recipe: ImageRecipe, weights: Path) -> Method:
    network = load_network(recipe, weights)
    return lambda stack: denormalised(network, stack, recipe)


def _plane(path: Path) -> Stack:
    """Grey levels of the middle, 1 × y × x."""
    pixels = np.asarray(open_image(path).read(), dtype=np.float32)
    y, x = ((size - min(size, SIDE_PX)) // 2 for size in pixels.shape[-2:])
    return pixels.reshape(1, *pixels.shape[-2:])[:, y : y + SIDE_PX, x : x + SIDE_PX]
