"""Finds a dataset by folder or id, sees of what kind it is, and gives its test images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

from scopezoo.datasets.paired.files import MANIFEST
from scopezoo.datasets.split import Part
from scopezoo.errors import FileError, UsageError
from scopezoo.store.collection import collection_folder
from scopezoo.store.package import Package
from scopezoo.validation.quality.cases import Cases

Choice = Literal["training", "validation", "test", "all"]
DATA_FOLDER = "SCOPEZOO_DATA"
"""Environment variable: a folder with datasets by id."""
EXPECTED = (
    "expected dataset.json (a paired dataset), images/ and masks/, or source/ and target/ "
    "(also low/ and GT/)"
)


def find_cases(dataset: str, choice: Choice, package: Package) -> Cases:
    """The images of a part of a dataset, with what they are compared with.

    Raises FileError where there is no dataset or none of a known kind, UsageError where it has no
    such part.
    """
    from scopezoo.validation.quality import aligned, masks, registered

    if choice not in get_args(Choice):
        raise UsageError(f"--split {choice}: expected {', '.join(get_args(Choice))}")
    part: Part | None = None if choice == "all" else choice
    folder = find_folder(dataset)
    if folder.is_file() or (folder / MANIFEST).is_file():
        return registered.cases(folder, part)
    if masks.is_layout(folder):
        return masks.cases(folder, part, package)
    if aligned.layout_of(folder, part):
        return aligned.cases(folder, part)
    raise FileError(f"{folder} is no dataset to measure on: {EXPECTED}")


def find_folder(dataset: str) -> Path:
    """The folder or zip that `dataset` names: a path, or an id below $SCOPEZOO_DATA."""
    path = Path(dataset)
    if path.exists():
        return path
    below = Path(os.environ[DATA_FOLDER]) / dataset if DATA_FOLDER in os.environ else None
    if below is not None and below.exists():
        return below
    card = collection_folder() / "datasets" / dataset / "README.md"
    if path.parts == (dataset,) and card.exists():
        raise FileError(
            f"the images of {dataset} are not on this machine: {card} says where they are from; "
            f"give their folder, or set {DATA_FOLDER} to the folder that has them as {dataset}/"
        )
    raise FileError(f"{dataset} is neither a folder nor a dataset of the collection")
