"""`scopezoo dataset simulate-nuclei`: stacks of nuclei with a label for each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line


def simulate_nuclei_stacks(
    configuration: Annotated[
        Path,
        typer.Argument(help="A YAML file, e.g. of collection/datasets/nuclei-3d-simulated."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder.")],
    stacks: Annotated[
        int | None, typer.Option(min=1, help="Of each specimen, instead of the file's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the file's.")] = None,
    small: Annotated[
        bool, typer.Option("--small", help="One small stack of each specimen: a try.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Simulate stacks of nuclei and their labels, to learn from: one seed gives the same bytes."""
    from scopezoo.datasets.nuclei import read_nuclei_config, simulate_nuclei_dataset

    config = read_nuclei_config(configuration)
    if small:
        config = config.small()
    chosen = {"stacks": stacks, "seed": seed}
    config = config.model_copy(update={k: v for k, v in chosen.items() if v is not None})
    with progress_line(config.name, quiet) as progress:
        split = simulate_nuclei_dataset(config, output, progress)
    if not quiet:
        say(f"{output}: {len(split.images)} stacks")
