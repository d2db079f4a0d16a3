"""`scopezoo dataset simulate`: one specimen as two microscopes see it, with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line


def simulate_pairs(
    configuration: Annotated[
        str,
        typer.Argument(
            help="A YAML file, or widefield-confocal, low-high-signal, noisy, "
            "transmitted-fluorescence."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder.")],
    fields: Annotated[
        int | None, typer.Option(min=1, help="Fields of each specimen, instead of the file's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the file's.")] = None,
    small: Annotated[
        bool, typer.Option("--small", help="Small fields, one for each specimen: a try.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Simulate pairs of images: the same seed gives the same bytes."""
    from scopezoo.datasets.simulation import read_config, simulate_dataset

    config = read_config(configuration)
    if small:
        config = config.small()
    chosen = {"fields": fields, "seed": seed}
    config = config.model_copy(update={k: v for k, v in chosen.items() if v is not None})
    with progress_line(config.name, quiet) as progress:
        names = simulate_dataset(config, output, progress)
    if not quiet:
        say(f"{output}: {len(names)} fields")
