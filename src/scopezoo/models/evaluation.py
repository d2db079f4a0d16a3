"""How good a trained model is: average precision on a part of its dataset.

Run as `python -m scopezoo.models.evaluation RECIPE DATA` it tunes the thresholds on the validation
part, measures the test part, and writes both into `measured.json` beside the recipe; with `--run`
also what the training took.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import Part
from scopezoo.errors import FileError
from scopezoo.models.instances import Thresholds, find_stars, predict_stars, render_stars
from scopezoo.models.network import load_network, make_network
from scopezoo.models.patches import Field
from scopezoo.models.recipe import Recipe, read_recipe, read_recipe_split
from scopezoo.models.stardist import StarDist2d
from scopezoo.models.training import load_fields

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


def evaluate(recipe_path: Path, data: Path, weights: Path) -> dict[str, Any]:
    """Thresholds tuned on the validation part and the table of the test part."""
    recipe = read_recipe(recipe_path)
    split = read_recipe_split(recipe, recipe_path)
    network = load_network(recipe, weights)
    folder = SegmentationFolder(data)

    def fields(part: Part) -> list[Field]:
        return load_fields(recipe, split, folder, part)

    thresholds, validation = tune_thresholds(network, fields("validation"))
    test_fields = fields("test")
    test = tally_fields(network, test_fields, thresholds)
    return {
        "command": f"python -m scopezoo.models.evaluation {recipe_path.as_posix()} DATA",
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len(test_fields),
        "objects": sum(len(np.unique(field.labels)) - 1 for field in test_fields),
        "thresholds": asdict(thresholds),
        "thresholds_tuned_on": "validation",
        "table": test.table(),
        "validation_table": validation.table(),
    }


def training_figures(recipe: Recipe, run: Path) -> dict[str, Any]:
    """What a training took and reached, from the `history.csv` of its run folder.

    The losses are means over the steps since the look before; the kept weights are the best look's.
    Raises FileError where there is no history.
    """
    try:
        with (run / "history.csv").open(newline="", encoding="utf-8") as file:
            rows = [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError) as error:
        raise FileError(f"{run} has no history.csv of a training: {error}") from error
    best = max(rows, key=lambda row: row["score"])
    return {
        "steps": int(rows[-1]["step"]),
        "kept_step": int(best["step"]),
        "seconds": round(rows[-1]["seconds"]),
        "device": "CPU",
        "precision": recipe.training.precision,
        "parameters": sum(p.numel() for p in make_network(recipe).parameters()),
        "validation_score": best["score"],
        "loss": best["loss"],
        "loss_probability": best["probability"],
        "loss_distance": best["distance"],
    }


def record(path: Path, key: str, content: dict[str, Any]) -> None:
    """Put `content` under `key` of `measured.json`; what is under other keys stays."""
    measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    measured[key] = content
    path.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Evaluate the `weights.pt` beside a recipe and write `measured.json` there."""
    parser = argparse.ArgumentParser(prog="python -m scopezoo.models.evaluation")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("data", type=Path, help="folder of the dataset: images/ and masks/")
    parser.add_argument("--run", type=Path, help="run folder of the training, to record it too")
    arguments = parser.parse_args()
    beside: Path = arguments.recipe.parent
    result = evaluate(arguments.recipe, arguments.data, beside / "weights.pt")
    record(beside / "measured.json", "evaluation", result)
    if arguments.run:
        figures = training_figures(read_recipe(arguments.recipe), arguments.run)
        record(beside / "measured.json", "training", figures)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
