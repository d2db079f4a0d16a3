"""Learns what a model's training images look like: makes `training_images.json`.

    python -m scopezoo.validation.quality.training MODEL DATASET training_images.json

Put it beside the model's recipe; packaging attaches it, and `scopezoo predict` warns of images
unlike these. The limit is what 98 % of training images keep when they are compared with those of
other specimens (fields of view, for a segmentation dataset) only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.predict.appearance import appearance
from scopezoo.predict.sources import pick_channels
from scopezoo.predict.training_images import distance, to_json
from scopezoo.store import resolve
from scopezoo.store.glance import glance
from scopezoo.store.package import Package
from scopezoo.validation.quality.cases import LabelCase, PairCase
from scopezoo.validation.quality.finding import find_cases, find_folder
from scopezoo.validation.quality.masks import find_split

Figures = NDArray[np.float64]
LIMIT_PERCENTILE = 98.0
LEAST_SPREAD = 0.05
"""So that a figure which happens to be the same in all training images does not decide alone."""
LEAST_GROUPS = 4


def learn(
    model: str,
    dataset: str,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """The content of the file, with how many training and validation images the limit would warn
    of. Raises UsageError where there are too few images."""
    package = resolve(model)
    training = find_cases(dataset, "training", package)
    validation = find_cases(dataset, "validation", package)
    everything = [*training.cases, *validation.cases]
    figures: list[NDArray[np.float64]] = []
    for done, case in enumerate(everything):
        progress(done, len(everything))
        figures.append(_appearance(package, case))
    groups = _groups(package, dataset, training.cases)
    known: Figures = np.array(figures[: len(training.cases)], np.float64).round(3)
    if len(set(groups)) < LEAST_GROUPS:
        raise UsageError(
            f"{dataset} has training images of {len(set(groups))} specimens; at least "
            f"{LEAST_GROUPS} are needed to tell what is usual"
        )
    spread: Figures = np.maximum(known.std(axis=0), LEAST_SPREAD).round(4)
    left_out = left_out_distances(known, groups, spread)
    limit = round(float(np.percentile(left_out, LIMIT_PERCENTILE)), 4)
    held = [distance(one, known, spread) for one in figures[len(training.cases) :]]
    return {
        **to_json(glance(package).dataset or training.dataset, known, spread, limit),
        "warned": {
            "training": f"{int((left_out > limit).sum())} of {len(left_out)}",
            "validation": f"{sum(one > limit for one in held)} of {len(held)}",
        },
    }


def left_out_distances(
    figures: NDArray[np.float64], groups: Sequence[str], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of each image (image, figure) to those of other groups."""
    names = np.array(groups)
    return np.array(
        [
            distance(own, figures[names != group], spread)
            for own, group in zip(figures, groups, strict=True)
        ]
    )


def _appearance(package: Package, case: PairCase | LabelCase) -> NDArray[np.float64]:
    first = package.description.inputs[0]
    found = appearance(case.image, pick_channels(case.image, first, case.channel))
    if found is None:
        raise UsageError(f"{case.id} has no finite pixel")
    return found


def _groups(package: Package, dataset: str, cases: Sequence[PairCase | LabelCase]) -> list[str]:
    """What belongs together: the specimen, or the field of view where the split knows it."""
    ids = [case.id for case in cases]
    split = None
    if isinstance(cases[0], LabelCase):
        split = find_split(find_folder(dataset), ids, package)
    return [
        case.specimen or case.id
        if isinstance(case, PairCase)
        else str(split.images[case.id].group)
        if split
        else case.id
        for case in cases
    ]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m scopezoo.validation.quality.training")
    parser.add_argument("model", help="an id, a folder or a zip")
    parser.add_argument("dataset", help="folder or id of the dataset that it was trained on")
    parser.add_argument("output", type=Path, help="training_images.json")
    arguments = parser.parse_args()
    content = learn(arguments.model, arguments.dataset)
    rows = ",\n  ".join(json.dumps(row) for row in content.pop("images"))
    head = json.dumps(content, indent=1).removesuffix("\n}")
    arguments.output.write_text(f'{head},\n "images": [\n  {rows}\n ]\n}}\n', encoding="utf-8")
    print(json.dumps(content["warned"]))


if __name__ == "__main__":
    main()
