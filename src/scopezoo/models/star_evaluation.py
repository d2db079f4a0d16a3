"""How good a StarDist model is: average precision on the test part of its dataset."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from scopezoo.datasets.split import Part
from scopezoo.models.instances import predict_stars
from scopezoo.models.network import load_network
from scopezoo.models.patches import Field
from scopezoo.models.recipe import StarDist3dRecipe, StarDistRecipe, read_recipe_split
from scopezoo.models.segmentation import load_fields, open_folder
from scopezoo.models.star_real import evaluate_real_stacks
from scopezoo.models.star_shapes import StarShape, Thresholds, star_shape
from scopezoo.models.star_tally import Tally, count_matches, count_whole

PROBABILITIES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
NMS_OVERLAPS = (0.1, 0.2, 0.3, 0.4, 0.5)


def tune_thresholds(
    network: nn.Module, shape: StarShape, fields: list[Field]
) -> tuple[Thresholds, Tally]:
    """The pair of a coarse grid with the highest mean average precision over `OVERLAPS`."""
    grid = [Thresholds(p, o) for p, o in product(PROBABILITIES, NMS_OVERLAPS)]
    tallies = {thresholds: Tally([]) for thresholds in grid}
    for field in fields:
        stars = predict_stars(network, field.image, shape.grid)
        for overlap in NMS_OVERLAPS:
            # Suppression goes from the most probable down: a higher threshold only drops the end.
            found = shape.find(stars, Thresholds(PROBABILITIES[0], overlap))
            for probability in PROBABILITIES:
                labels = shape.render(found.above(probability), field.labels.shape)
                counts = count_matches(field.labels, labels)
                tallies[Thresholds(probability, overlap)].counts.append(counts)
    best = max(grid, key=lambda thresholds: tallies[thresholds].average_precision().mean())
    return best, tallies[best]


def tally_fields(
    network: nn.Module, shape: StarShape, fields: list[Field], thresholds: Thresholds
) -> Tally:
    """Matches of the network's objects in all `fields`."""
    tally = Tally([])
    for field in fields:
        found = shape.find(predict_stars(network, field.image, shape.grid), thresholds)
        labels = shape.render(found, field.labels.shape)
        tally.counts.append(count_matches(field.labels, labels))
        tally.whole.append(count_whole(field.labels, labels))
    return tally


def evaluate_stars(
    recipe: StarDistRecipe | StarDist3dRecipe,
    recipe_path: Path,
    data: Path,
    weights: Path,
    *,
    real: Path | None = None,
) -> dict[str, Any]:
    """Thresholds tuned on the validation part and the table of the test part.

    Images of the test part that differ from those of training on purpose (`data.unlike`) have a
    table of their own. `real` is a folder of real stacks for a 3D model, see `star_real`.
    """
    split = read_recipe_split(recipe, recipe_path)
    network, shape = load_network(recipe, weights), star_shape(recipe)
    folder = open_folder(recipe, data)

    def fields(part: Part) -> list[Field]:
        return load_fields(recipe, split, folder, part)

    thresholds, validation = tune_thresholds(network, shape, fields("validation"))
    unlike = set(recipe.data.unlike)
    test = fields("test")
    measured = {
        key: _measured(network, shape, chosen, thresholds)
        for key, chosen in (
            ("like", [field for field in test if field.stratum not in unlike]),
            ("unlike", [field for field in test if field.stratum in unlike]),
        )
        if chosen
    }
    return {
        "dataset": recipe.data.dataset,
        "part": "test",
        **measured.pop("like"),
        **measured,
        "thresholds": asdict(thresholds),
        "thresholds_tuned_on": "validation",
        "validation_table": validation.table(),
        **(
            {"real": evaluate_real_stacks(recipe, network, thresholds, real)}
            if real and isinstance(recipe, StarDist3dRecipe)
            else {}
        ),
    }


def _measured(
    network: nn.Module, shape: StarShape, fields: list[Field], thresholds: Thresholds
) -> dict[str, Any]:
    """Figures of some images, and the average precision at IoU 0.5 of each of their strata."""
    tally = tally_fields(network, shape, fields, thresholds)
    whole, found = np.sum(tally.whole, axis=0).tolist()
    strata = dict.fromkeys(field.stratum for field in fields)
    by_stratum = {
        stratum: Tally(
            [c for c, f in zip(tally.counts, fields, strict=True) if f.stratum == stratum]
        )
        for stratum in strata
    }
    return {
        "images": len(fields),
        "objects": sum(len(np.unique(field.labels)) - 1 for field in fields),
        "whole_objects": whole,
        "whole_objects_found": found,
        "table": tally.table(),
        "average_precision_by_stratum": {
            stratum: round(float(part.average_precision()[0]), 4)
            for stratum, part in by_stratum.items()
        },
    }
