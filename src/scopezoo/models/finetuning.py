"""Adapts a packaged model to somebody's own images, and says whether that helped."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scopezoo.datasets.image_folders import aligned_dataset
from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.files import MANIFEST
from scopezoo.datasets.split import split_own_images
from scopezoo.errors import FileError, PackageError, UsageError
from scopezoo.formats import create_image
from scopezoo.models.evaluation import record, training_figures
from scopezoo.models.history import read_history
from scopezoo.models.network import load_network
from scopezoo.models.recipe import (
    ImageRecipe,
    Recipe,
    RestorationRecipe,
    SegmentationRecipe,
    parse_recipe,
    read_recipe,
    read_recipe_split,
)
from scopezoo.models.star_shapes import Thresholds
from scopezoo.models.tasks import make_task
from scopezoo.models.training import CHECKPOINT, train
from scopezoo.predict.chains import DECODING, decoding_parameters, has_step
from scopezoo.predict.instances import instance_settings
from scopezoo.store.package import Package
from scopezoo.store.tensors import FileReference

RECIPE = "recipe.yaml"
PARENT_WEIGHTS = "parent.pt"
SPLIT = "split.json"
OWN_DATASET = "dataset"
TEST_IMAGE = "test_image.tif"
MEASURED = "measured.json"
STEPS = 400
LOOKS = 20
RATE_SHARE = 0.3
"""Of the parent's learning rate."""
FASTEST_DECAY = 0.98
"""Of the moving average: it must follow within few steps."""
TUNABLE = (SegmentationRecipe, RestorationRecipe, ImageRecipe)
"""Kinds of recipes whose models can be trained on."""
WORSE = 0.02
"""Share of the best score that counts as a loss."""


@dataclass(frozen=True)
class Tuned:
    """A child in its run folder: recipe and weights, ready to be packaged.

    Scores are of the validation images, in what `score_name` says; higher is better.
    """

    run: Path
    id: str
    score_name: str
    parent_score: float
    score: float
    warnings: list[str]


def fine_tune(
    parent: Package,
    data: Path,
    run: Path,
    *,
    steps: int = STEPS,
    resume: bool = False,
    quiet: bool = False,
) -> Tuned:
    """Train a packaged model on, with the images in `data`.

    `data` has images/ and masks/ for a model that finds objects; a paired dataset, or source/ and
    target/, for one that restores; images alone for Noise2Void. A fifth of the fields (at least
    one) is kept back to see whether it helps, and which step is best; where none is better than
    the parent, the parent's weights stay. The name of `run` becomes the child's id.

    Raises PackageError for a model that was not made from a recipe, UsageError where `run` holds
    another training or its name is no id, FileError for data that do not fit, and what
    `scopezoo.models.training.train` raises.
    """
    if not resume:
        _prepare(parent, data, run, steps)
    recipe_path = run / RECIPE
    recipe = read_recipe(recipe_path)
    learned_from = _data_folder(data, run)
    task = make_task(recipe, recipe_path, learned_from)
    before = task.score(load_network(recipe, run / PARENT_WEIGHTS))
    train(recipe_path, learned_from, run, resume=resume, quiet=quiet, start=run / PARENT_WEIGHTS)
    history = read_history(run)
    after = max(before, *(row["score"] for row in history))
    warnings = overfitting(history, before)
    record(
        run / MEASURED,
        "evaluation",
        {
            "kind": "tuned",
            "command": f"scopezoo train --from {parent.id} --data {data.name} --run {run.name}",
            "dataset": recipe.data.dataset,
            "part": "validation",
            "images": _kept_back(recipe, recipe_path, learned_from),
            "parent": parent.id,
            "score_name": task.score_name,
            "parent_score": round(before, 4),
            "score": round(after, 4),
            "warnings": warnings,
            **_thresholds(parent),
        },
    )
    record(run / MEASURED, "training", training_figures(recipe, run))
    return Tuned(run, recipe.id, task.score_name, before, after, warnings)


def overfitting(history: Sequence[dict[str, float]], parent_score: float) -> list[str]:
    """What the curves of a training say against its result, in words."""
    best = max(history, key=lambda row: row["score"])
    last = history[-1]
    if best["score"] <= parent_score:
        return [
            f"no step was better than the parent on the validation images ({parent_score:.3g}; the "
            f"best of the training reached {best['score']:.3g}): the child is the parent itself. "
            "More images would help, or images that differ more from those it knows"
        ]
    lost = best["score"] - last["score"]
    if last["loss"] < best["loss"] and lost > WORSE * abs(best["score"]):
        return [
            f"it overfits: after step {best['step']:.0f} the error on the training images fell on, "
            f"to {last['loss']:.3g}, while the score on the validation images fell from "
            f"{best['score']:.3g} to {last['score']:.3g}. The weights of step {best['step']:.0f} "
            "are kept; more images would help"
        ]
    return []


def _prepare(parent: Package, data: Path, run: Path, steps: int) -> None:
    """Write the child's recipe and what it needs into the run folder."""
    if (run / CHECKPOINT).exists():
        raise UsageError(
            f"{run} holds a training already: go on with --resume or give another --run"
        )
    child_id = run.resolve().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", child_id):
        raise UsageError(
            f"{child_id!r} cannot be a model's id, which the name of --run becomes: use small "
            "letters, digits and hyphens"
        )
    recipe = parent_recipe(parent)
    if not isinstance(recipe, TUNABLE):
        raise UsageError(
            f"{parent.id} is of a kind ({recipe.network.kind}) that cannot be trained on yet: "
            "train one with a recipe of its own (scopezoo train RECIPE --data DATA)"
        )
    run.mkdir(parents=True, exist_ok=True)
    (run / PARENT_WEIGHTS).write_bytes(_parent_weights(parent))
    load_network(recipe, run / PARENT_WEIGHTS)
    content = child_recipe(recipe, parent, child_id, data.resolve().name, steps)
    if isinstance(recipe, SegmentationRecipe):
        split_own_images(data.resolve().name, data, recipe.training.seed).write(run / SPLIT)
        content["data"]["split"] = SPLIT
    else:
        content["test_image"] |= _write_test_image(parent, run / TEST_IMAGE)
        content["data"] |= {"unlike": [], "registered": True}
        if not (data / MANIFEST).is_file():
            shutil.rmtree(run / OWN_DATASET, ignore_errors=True)
            voxel_um = {a.upper(): um for a, um in content["pixel_size_um"].items()}
            aligned_dataset(data, run / OWN_DATASET, voxel_um, recipe.training.seed)
    parse_recipe(content)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    (run / RECIPE).write_text(text, encoding="utf-8")


def parent_recipe(parent: Package) -> Recipe:
    """The recipe that a package brings. Raises PackageError where it brings none."""
    try:
        content = yaml.safe_load(parent.read(FileReference(RECIPE)))
        return parse_recipe(content)
    except (PackageError, FileError, yaml.YAMLError, ValueError) as error:
        raise PackageError(
            f"{parent.location} has no sound {RECIPE}, so it cannot be trained on: expected a "
            f"model that scopezoo packaged from a recipe ({' '.join(str(error).split())[:200]})"
        ) from error


def _parent_weights(parent: Package) -> bytes:
    entry = parent.description.weights.get("pytorch_state_dict")
    if entry is None:
        raise PackageError(f"{parent.location} has no torch weights (pytorch_state_dict)")
    return parent.read(entry.file)


def child_recipe(
    recipe: Recipe, parent: Package, child_id: str, data: str, steps: int
) -> dict[str, Any]:
    """The parent's recipe with what differs for its child, without paths: they are not its own."""
    content = recipe.model_dump(mode="json", exclude_none=True, exclude={"real_images"})
    plan = content["training"]
    plan.pop("teacher", None)
    plan |= {
        "steps": steps,
        "learning_rate": plan["learning_rate"] * RATE_SHARE,
        "warmup_steps": max(1, steps // LOOKS),
        "validate_every": max(1, steps // LOOKS),
        "patience": LOOKS,
        "average_decay": min(plan["average_decay"], FASTEST_DECAY),
    }
    return {
        **content,
        "id": child_id,
        "name": f"{recipe.name[:90]} - {child_id}"[:128],
        "version": "0.1.0",
        "parent": {"id": parent.id, "version": parent.description.version or recipe.version},
        "description": f"{recipe.description[:380]} Trained on with the images of {data[:60]}.",
        "limitations": (
            f"It was adapted to few images ({data}) and may do worse than its parent on all "
            f"others. Of the parent: {recipe.limitations}"
        ),
        "data": {"dataset": _dataset_id(data)},
    }


def _dataset_id(name: str) -> str:
    return re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-") or "own-images"


def _write_test_image(parent: Package, path: Path) -> dict[str, Any]:
    """The parent's test input as the image by which the child proves itself."""
    first = parent.description.inputs[0]
    reference = first.test_tensor
    if reference is None:
        raise PackageError(f"{parent.location} has no test input")
    try:
        pixels = np.load(io.BytesIO(parent.read(reference)), allow_pickle=False)
    except ValueError as error:
        raise PackageError(f"{parent.location}: {reference.source} is no NPY file") from error
    axes = "ZYX"[-len(first.space) :]
    pixels = pixels.reshape(pixels.shape[-len(axes) :])
    writer = create_image(path, shape=pixels.shape, dtype=pixels.dtype, axes=axes)
    writer[tuple(slice(0, size) for size in pixels.shape)] = pixels
    writer.close()
    sizes = {axis.lower(): size for axis, size in zip(axes, pixels.shape, strict=True)}
    return {"image": path.name, "credit": f"the test image of {parent.id}", "size_px": sizes}


def _kept_back(recipe: Recipe, recipe_path: Path, data: Path) -> int:
    """How many images are in the validation part."""
    if isinstance(recipe, SegmentationRecipe):
        return len(read_recipe_split(recipe, recipe_path).ids("validation"))
    return len(Dataset.open(data).pairs_of("validation"))


def _thresholds(parent: Package) -> dict[str, Any]:
    """Those by which the parent finds objects: few images are too few to tune them anew."""
    first = parent.description.outputs[0]
    if has_step(first, DECODING):
        stars = decoding_parameters(first)
        return {"thresholds": asdict(Thresholds(stars.prob_threshold, stars.nms_threshold))}
    how = instance_settings(parent.description)
    if how is None:
        return {}
    return {"thresholds": {"inside": how.inside_threshold, "mask": how.mask_threshold}}


def _data_folder(data: Path, run: Path) -> Path:
    own = run / OWN_DATASET
    return own if own.exists() else data
