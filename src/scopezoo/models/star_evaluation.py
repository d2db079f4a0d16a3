"""How good a StarDist model is: average precision on the test part of its dataset."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import Part
from scopezoo.models.instances import Thresholds, find_stars, predict_stars, render_stars
from scopezoo.models.network import load_network
from scopezoo.models.patches import Field
from scopezoo.models.recipe import StarDistRecipe, read_recipe_split
from scopezoo.models.segmentation import load_fields
from scopezoo.models.stardist import StarDist2d

OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
PROBABILITIES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
NMS_OVERLAPS = (0.3, 0.4, 0.5)


@dataclass
class Tally:
    """Matches of many images with their true labels, for each IoU of `OVERLAPS`."""

    counts: list[NDArray[np.int64]]
    """Per image: (IoU, 3) true positives, false positives, false negatives."""

    def average_precision(self) -> NDArray[np.float64]:
        """TP / (TP + FP + FN) of all images' objects together, as in the StarDist paper."""
        total = np.sum(self.counts, axis=0)
        return np.asarray(total[:, 0] / np.maximum(total.sum(axis=1), 1))

    def table(self) -> list[dict[str, float]]:
        """One row for each IoU; `average_precision_by_image` is the mean of the images' own."""
        total = np.sum(self.counts, axis=0)
        by_image = [c[:, 0] / np.maximum(c.sum(axis=1), 1) for c in self.counts]
        rows = zip(
            OVERLAPS,
            self.average_precision(),
            np.mean(by_image, axis=0),
            total[:, 0] / np.maximum(total[:, 0] + total[:, 1], 1),
            total[:, 0] / np.maximum(total[:, 0] + total[:, 2], 1),
            strict=True,
        )
        names = ("iou", "average_precision", "average_precision_by_image", "precision", "recall")
        return [
            {name: round(float(value), 4) for name, value in zip(names, row, strict=True)}
            for row in rows
        ]


def count_matches(truth: NDArray[np.int32], found: NDArray[np.int32]) -> NDArray[np.int64]:
    """(IoU, 3): true positives, false positives and false negatives of one label image."""
    from stardist.matching import matching

    results = matching(truth, found, thresh=OVERLAPS)
    return np.array([(r.tp, r.fp, r.fn) for r in results], dtype=np.int64)


def tune_thresholds(network: StarDist2d, fields: list[Field]) -> tuple[Thresholds, Tally]:
    """The pair of a coarse grid with the highest mean average precision over `OVERLAPS`."""
    grid = [Thresholds(p, o) for p, o in product(PROBABILITIES, NMS_OVERLAPS)]
    tallies = {thresholds: Tally([]) for thresholds in grid}
    for field in fields:
        stars = predict_stars(network, field.image)
        for overlap in NMS_OVERLAPS:
            # Suppression goes from the most probable down: a higher threshold only drops the end.
            polygons = find_stars(stars, Thresholds(PROBABILITIES[0], overlap))
            for probability in PROBABILITIES:
                labels = render_stars(polygons.above(probability), field.labels.shape)
                counts = count_matches(field.labels, labels)
                tallies[Thresholds(probability, overlap)].counts.append(counts)
    best = max(grid, key=lambda thresholds: tallies[thresholds].average_precision().mean())
    return best, tallies[best]


def tally_fields(network: StarDist2d, fields: list[Field], thresholds: Thresholds) -> Tally:
    """Matches of the network's objects in all `fields`."""
    tally = Tally([])
    for field in fields:
        polygons = find_stars(predict_stars(network, field.image), thresholds)
        found = render_stars(polygons, field.labels.shape)
        tally.counts.append(count_matches(field.labels, found))
    return tally


def evaluate_stars(
    recipe: StarDistRecipe, recipe_path: Path, data: Path, weights: Path
) -> dict[str, Any]:
    """Thresholds tuned on the validation part and the table of the test part."""
    split = read_recipe_split(recipe, recipe_path)
    network = cast(StarDist2d, load_network(recipe, weights))
    folder = SegmentationFolder(data)

    def fields(part: Part) -> list[Field]:
        return load_fields(recipe, split, folder, part)

    thresholds, validation = tune_thresholds(network, fields("validation"))
    test_fields = fields("test")
    test = tally_fields(network, test_fields, thresholds)
    return {
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len(test_fields),
        "objects": sum(len(np.unique(field.labels)) - 1 for field in test_fields),
        "thresholds": asdict(thresholds),
        "thresholds_tuned_on": "validation",
        "table": test.table(),
        "validation_table": validation.table(),
    }
