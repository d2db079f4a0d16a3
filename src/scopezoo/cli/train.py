"""`scopezoo train`: train a recipe's network from its data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say


def train_model(
    recipe: Annotated[Path, typer.Argument(help="A recipe.yaml.")],
    data: Annotated[Path, typer.Option(help="Folder of the dataset: images/ and masks/.")],
    run: Annotated[Path, typer.Option(help="Folder for checkpoints, weights and loss curve.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run's checkpoint.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Train a network by its recipe; the same recipe and data give the same network."""
    from scopezoo.models import train

    weights = train(recipe, data, run, resume=resume, quiet=quiet)
    if not quiet:
        say(f"{weights}")
