"""Networks, recipes, and training."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from scopezoo.errors import MissingDependencyError


def train(
    recipe: Path, data: Path, run: Path, *, resume: bool = False, quiet: bool = False
) -> Path:
    """Train a recipe's network; see `scopezoo.models.training.train`.

    Raises MissingDependencyError where the extra `train` is not installed.
    """
    if any(find_spec(name) is None for name in ("torch", "stardist", "matplotlib")):
        raise MissingDependencyError("training", "train")
    from scopezoo.models import training

    return training.train(recipe, data, run, resume=resume, quiet=quiet)
