"""`scopezoo dataset recipe`: a recipe to start from, for a model from one's own pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say


def start_recipe(
    dataset: Annotated[Path, typer.Argument(help="Folder or zip of a registered, split dataset.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the model; its name becomes the id.")
    ],
    small: Annotated[
        bool, typer.Option("--small", help="A small network that learns for a minute: a try.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Write a recipe.yaml with what the dataset tells; edit it, then `scopezoo train`."""
    from scopezoo.datasets.paired import Dataset
    from scopezoo.models.starting_recipe import write_starting_recipe

    path = write_starting_recipe(Dataset.open(dataset), output, small=small)
    if not quiet:
        say(f"{path}: read it, edit what it says of your model, then")
        say(f"  scopezoo train {path} --data {dataset} --run {output}")
