"""Networks, recipes, and training."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from scopezoo.errors import MissingDependencyError

if TYPE_CHECKING:
    from scopezoo.models.finetuning import Tuned
    from scopezoo.store.package import Package


def train(
    recipe: Path, data: Path, run: Path, *, resume: bool = False, quiet: bool = False
) -> Path:
    """Train a recipe's network; see `scopezoo.models.training.train`.

    Raises MissingDependencyError where the extra `train` is not installed.
    """
    _require_libraries()
    from scopezoo.models import training

    return training.train(recipe, data, run, resume=resume, quiet=quiet)


def fine_tune(
    parent: Package,
    data: Path,
    run: Path,
    *,
    steps: int | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Tuned:
    """Train a packaged model on; see `scopezoo.models.finetuning.fine_tune`.

    Raises MissingDependencyError where the extra `train` is not installed.
    """
    _require_libraries()
    from scopezoo.models import finetuning

    chosen = finetuning.STEPS if steps is None else steps
    return finetuning.fine_tune(parent, data, run, steps=chosen, resume=resume, quiet=quiet)


def _require_libraries() -> None:
    if any(find_spec(name) is None for name in ("torch", "stardist", "matplotlib")):
        raise MissingDependencyError("training", "train")
