"""How good a model of insides and borders is: average precision of its objects on the test part."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.models.border_unet import BorderUNet2d
from scopezoo.models.borders import (
    border_settings,
    objects_of_classes,
    predict_classes,
)
from scopezoo.models.network import load_network
from scopezoo.models.patches import Field
from scopezoo.models.recipe import BorderRecipe, read_recipe_split
from scopezoo.models.segmentation import load_fields
from scopezoo.models.star_tally import Tally, count_matches
from scopezoo.predict.instances import InstanceSettings

INSIDE_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
MASK_THRESHOLDS = (0.3, 0.4, 0.5, 0.6)

Predicted = list[tuple[NDArray[np.float32], NDArray[np.int32]]]
"""Probabilities (3, y, x) and true labels YX of each image."""


def tune_settings(predicted: Predicted) -> tuple[InstanceSettings, Tally]:
    """The pair of a coarse grid with the highest mean average precision over IoU 0.5 to 0.9."""
    grid = [border_settings(*pair) for pair in product(INSIDE_THRESHOLDS, MASK_THRESHOLDS)]
    tallies = {settings: tally_classes(predicted, settings) for settings in grid}
    best = max(grid, key=lambda settings: tallies[settings].average_precision().mean())
    return best, tallies[best]


def tally_classes(predicted: Predicted, settings: InstanceSettings) -> Tally:
    """Matches of the objects of all images."""
    return Tally(
        [
            count_matches(truth, objects_of_classes(classes, settings))
            for classes, truth in predicted
        ]
    )


def evaluate_borders(
    recipe: BorderRecipe, recipe_path: Path, data: Path, weights: Path
) -> dict[str, Any]:
    """Thresholds tuned on the validation part and the table of the test part."""
    split = read_recipe_split(recipe, recipe_path)
    network = cast(BorderUNet2d, load_network(recipe, weights))
    folder = SegmentationFolder(data)

    def predicted(fields: list[Field]) -> Predicted:
        return [(predict_classes(network, field.image), field.labels) for field in fields]

    settings, validation = tune_settings(
        predicted(load_fields(recipe, split, folder, "validation"))
    )
    test_fields = load_fields(recipe, split, folder, "test")
    test = tally_classes(predicted(test_fields), settings)
    return {
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len(test_fields),
        "objects": sum(len(np.unique(field.labels)) - 1 for field in test_fields),
        "thresholds": {"inside": settings.inside_threshold, "mask": settings.mask_threshold},
        "thresholds_tuned_on": "validation",
        "table": test.table(),
        "validation_table": validation.table(),
    }
