"""Finds the package that a MODEL names."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from scopezoo.errors import ModelNotFoundError
from scopezoo.store.collection import collection_folder, model_ids
from scopezoo.store.description import Description
from scopezoo.store.package import Package, open_package
from scopezoo.store.tensors import Axis, Tensor, Weights

__all__ = [
    "Axis",
    "Description",
    "Package",
    "Tensor",
    "Weights",
    "model_ids",
    "open_package",
    "resolve",
]


def resolve(model: str | Path) -> Package:
    """The package that `model` names: an id of the collection, a folder, or a zip.

    Raises ModelNotFoundError for a name that nothing answers to, and what `open_package` raises.
    """
    name = str(model)
    ids = model_ids()
    if name in ids:
        return open_package(collection_folder() / "models" / name)
    if Path(model).exists():
        return open_package(model)
    if re.match(r"(https?://|10\.\d{4,}/)", name):
        raise ModelNotFoundError(
            f"{name} is not on this machine; download its package and give the folder or zip"
        )
    near = difflib.get_close_matches(name, ids, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the collection has {', '.join(ids) or 'none'}"
    raise ModelNotFoundError(f"no model {name!r}: no such folder or zip, and {hint}")
