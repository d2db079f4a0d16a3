"""Finds the package that a MODEL names."""

from __future__ import annotations

import difflib
from pathlib import Path

from scopezoo.errors import ModelNotFoundError
from scopezoo.store.collection import collection_folder, model_ids
from scopezoo.store.description import Description
from scopezoo.store.package import Package, open_package
from scopezoo.store.pulled import canonical, find_pulled, is_doi, is_url, pulled_models
from scopezoo.store.tensors import Axis, Tensor, Weights

__all__ = [
    "Axis",
    "Description",
    "Package",
    "Tensor",
    "Weights",
    "model_ids",
    "open_package",
    "pulled_models",
    "resolve",
]


def resolve(model: str | Path) -> Package:
    """The package that `model` names: an id of the collection, a folder, a zip, or what was pulled.

    A bioimage.io id, a DOI or a URL is found where `pull` put it; nothing is fetched here.
    Raises ModelNotFoundError for a name that nothing answers to, and what `open_package` raises.
    """
    name = str(model)
    ids = model_ids()
    if name in ids:
        return open_package(collection_folder() / "models" / name)
    if Path(model).exists():
        return open_package(model)
    pulled = find_pulled(name)
    if pulled:
        return open_package(pulled.location)
    if is_url(name) or is_doi(canonical(name)):
        raise ModelNotFoundError(f"{name} is not on this machine; fetch it: scopezoo pull {name}")
    near = difflib.get_close_matches(name, [*ids, *(p.model for p in pulled_models())], n=1)
    hint = f"did you mean {near[0]}?" if near else f"the collection has {', '.join(ids) or 'none'}."
    raise ModelNotFoundError(
        f"no model {name!r} on this machine: no such folder or zip; {hint} "
        f"A model of bioimage.io is fetched by: scopezoo pull {name}"
    )
