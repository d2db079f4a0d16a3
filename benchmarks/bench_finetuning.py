"""Ten images of a kind that a model never saw: the model before and after `train --from`.

    python benchmarks/bench_finetuning.py DSB2018 WORK [--kind 360x360-3] [--steps 1500]

A StarDist network is trained on all kinds of images of the dataset but one, packaged, and adapted
to ten images of that kind. Both are measured on the rest of the kind, at the parent's thresholds.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml

from scopezoo import models
from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import Split, read_split
from scopezoo.models.finetuning import fine_tune
from scopezoo.models.network import load_network
from scopezoo.models.patches import Field, normalise
from scopezoo.models.recipe import StarDistRecipe, read_recipe
from scopezoo.models.star_evaluation import tally_fields
from scopezoo.models.star_shapes import Thresholds, star_shape
from scopezoo.models.star_tally import Tally
from scopezoo.packaging import package
from scopezoo.store import open_package

COLLECTION = Path(__file__).parents[1] / "collection"
IMAGES = 10


def train_parent(split: Split, kind: str, steps: int, data: Path, work: Path) -> Path:
    """A package of a network that saw no image of `kind`."""
    run = work / "parent"
    content: dict[str, Any] = yaml.safe_load(
        (COLLECTION / "models/nuclei-stardist-2d/recipe.yaml").read_text(encoding="utf-8")
    )
    content["data"]["split"] = "split.json"
    content["training"] |= {"steps": steps, "validate_every": max(1, steps // 5)}
    run.mkdir(parents=True, exist_ok=True)
    others = {key: entry for key, entry in split.images.items() if entry.stratum != kind}
    split.model_copy(update={"images": others}).write(run / "split.json")
    (run / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    if not (run / "weights.pt").exists():
        models.train(run / "recipe.yaml", data, run)
    package(run, work / "parent.zip")
    return work / "parent.zip"


def pick_images(split: Split, kind: str, data: Path, folder: Path) -> list[str]:
    """Copy whole fields with at least `IMAGES` images to `folder`; returns the ids of the rest."""
    fields: dict[int, list[str]] = {}
    for key, entry in sorted(split.images.items()):
        if entry.stratum == kind:
            fields.setdefault(entry.group, []).append(key)
    order = np.random.default_rng(0).permutation(sorted(fields)).tolist()
    picked: list[str] = []
    for number in order:
        if len(picked) + len(fields[number]) <= IMAGES:
            picked += fields[number]
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for key in picked:
            shutil.copy(data / part / f"{key}.tif", folder / part)
    return sorted({key for own in fields.values() for key in own} - set(picked))


def measure(run: Path, weights: Path, fields: list[Field]) -> Tally:
    """At the thresholds of StarDist before they are tuned, as parent and child have them."""
    recipe = cast(StarDistRecipe, read_recipe(run / "recipe.yaml"))
    plain = Thresholds(probability=0.5, overlap=0.4)
    return tally_fields(load_network(recipe, weights), star_shape(recipe), fields, plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of dsb2018")
    parser.add_argument("work", type=Path, help="a folder to work in")
    parser.add_argument("--kind", default="360x360-3", help="a stratum of the split")
    parser.add_argument("--steps", type=int, default=1500, help="of the parent's training")
    arguments = parser.parse_args()
    split = read_split(COLLECTION / "datasets/dsb2018/split.json")
    work: Path = arguments.work
    parent = train_parent(split, arguments.kind, arguments.steps, arguments.data, work)
    own = work / "own-images"
    rest = pick_images(split, arguments.kind, arguments.data, own)
    child = fine_tune(open_package(parent), own, work / "child")
    folder = SegmentationFolder(arguments.data)
    recipe = cast(StarDistRecipe, read_recipe(work / "child/recipe.yaml"))
    fields = [
        Field(normalise(folder.image(key), recipe.normalisation), folder.mask(key), "")
        for key in rest
    ]
    print(f"\n{len(rest)} images of {arguments.kind} that neither saw")
    print("\n| | AP 0.5 | 0.6 | 0.7 | 0.8 | 0.9 |\n|---|---|---|---|---|---|")
    for name, weights in (("parent", child.run / "parent.pt"), ("child", child.run / "weights.pt")):
        found = measure(child.run, weights, fields).average_precision()
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in found)} |")


if __name__ == "__main__":
    main()
