"""The models and datasets that come with scopezoo."""

from __future__ import annotations

from pathlib import Path

import scopezoo
from scopezoo.errors import FileError


def collection_folder() -> Path:
    """The collection: in the installed package, or beside `src` in a checkout.

    Raises FileError where the installation lacks it.
    """
    package = Path(scopezoo.__file__).parent
    for folder in (package / "collection", package.parents[1] / "collection"):
        if (folder / "models").is_dir():
            return folder
    raise FileError(f"{package} has no collection; install scopezoo again")


def model_ids() -> list[str]:
    """Ids of the collection's models, sorted."""
    folder = collection_folder() / "models"
    return sorted(path.parent.name for path in folder.glob("*/rdf.yaml"))
