"""`scopezoo train`: train a recipe's network, or a packaged model on with one's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.errors import UsageError


def train_model(
    data: Annotated[
        Path,
        typer.Option(
            help="Folder of the dataset: images/ and masks/, source/ and target/, images alone, or "
            "a paired dataset."
        ),
    ],
    run: Annotated[Path, typer.Option(help="Folder for checkpoints, weights and loss curve.")],
    recipe: Annotated[Path | None, typer.Argument(help="A recipe.yaml.")] = None,
    parent: Annotated[
        str | None,
        typer.Option("--from", help="Instead of a recipe: a model to adapt to your own images."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="With --from: how long to train (400).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run's checkpoint.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Train a network by its recipe, or adapt a model to your own images.

    The same recipe and data give the same network. With --from the result is a package,
    RUN/<name of RUN>.zip.
    """
    if (recipe is None) == (parent is None):
        raise UsageError("give a recipe, or a model to adapt with --from")
    if parent is not None:
        _adapt(parent, data, run, steps, resume=resume, quiet=quiet)
        return
    if steps is not None:
        raise UsageError("--steps goes with --from; a recipe says its own steps")
    from scopezoo.models import train

    assert recipe is not None
    weights = train(recipe, data, run, resume=resume, quiet=quiet)
    if not quiet:
        say(f"{weights}")


def _adapt(
    model: str, data: Path, run: Path, steps: int | None, *, resume: bool, quiet: bool
) -> None:
    from scopezoo.models import fine_tune
    from scopezoo.packaging import package
    from scopezoo.store import resolve

    tuned = fine_tune(resolve(model), data, run, steps=steps, resume=resume, quiet=quiet)
    report = package(run, run / f"{tuned.id}.zip")
    for warning in tuned.warnings:
        say(f"Warning: {warning}")
    if not quiet:
        say(
            f"{tuned.score_name} on the images kept back: {tuned.parent_score:.3f} before, "
            f"{tuned.score:.3f} now; curves in {run / 'history.png'}"
        )
        say(f"{report.path}")
