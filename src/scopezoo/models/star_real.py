"""What a StarDist model finds in real stacks, which nothing was trained on.

A folder with images/ and masks/, stacks ZYX of the same names in both; the images' files tell their
voxel sizes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.errors import FileError
from scopezoo.formats import open_image
from scopezoo.models.instances import predict_stars
from scopezoo.models.patches import normalise
from scopezoo.models.recipe import StarDist3dRecipe
from scopezoo.models.star_shapes import StarShape, Thresholds, star_shape
from scopezoo.models.star_tally import Tally, count_matches


def evaluate_real_stacks(
    recipe: StarDist3dRecipe, network: nn.Module, thresholds: Thresholds, data: Path
) -> dict[str, Any]:
    """Tables for the stacks as they are, and brought to the voxel size of training.

    Raises FileError where a file does not tell its voxel size.
    """
    folder, shape = SegmentationFolder(data, "ZYX"), star_shape(recipe)
    as_given, rescaled = Tally([]), Tally([])
    objects = 0
    for key in folder.ids():
        image = normalise(folder.image(key), recipe.normalisation)
        truth = folder.mask(key)
        zoom = zoom_to(recipe, data / "images" / f"{key}.tif")
        for tally, factors in ((as_given, (1.0, 1.0, 1.0)), (rescaled, zoom)):
            found = find_at_scale(network, shape, image, factors, thresholds)
            tally.counts.append(count_matches(truth, found))
        objects += len(np.unique(truth)) - 1
    return {
        "images": len(as_given.counts),
        "objects": objects,
        "table": rescaled.table(),
        "table_without_rescaling": as_given.table(),
    }


def zoom_to(recipe: StarDist3dRecipe, path: Path) -> tuple[float, ...]:
    """Factors z, y, x on the size of a stack that give it the voxels of training."""
    found = open_image(path).pixel_size_um
    missing = [axis for axis in "ZYX" if axis not in found]
    if missing:
        raise FileError(
            f"{path} does not tell its voxel size along {', '.join(missing)}: "
            "expected z, y and x; write it into the file"
        )
    return tuple(found[axis.upper()] / um for axis, um in recipe.pixel_size_um.items())


def find_at_scale(
    network: nn.Module,
    shape: StarShape,
    image: NDArray[np.float32],
    factors: tuple[float, ...],
    thresholds: Thresholds,
) -> NDArray[np.int32]:
    """Labels ZYX of a normalised stack, found in it at other voxel sizes."""
    from skimage.transform import resize

    size = tuple(round(n * factor) for n, factor in zip(image.shape, factors, strict=True))
    # like the engine, which interpolates and blurs before it shrinks
    scaled = resize(image, size, order=1, anti_aliasing=True).astype(np.float32)  # type: ignore[no-untyped-call]
    stars = shape.find(predict_stars(network, scaled, shape.grid), thresholds)
    labels = shape.render(stars, size)
    back = [
        np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1)
        for n, m in zip(image.shape, size, strict=True)
    ]
    return labels[np.ix_(*back)]
