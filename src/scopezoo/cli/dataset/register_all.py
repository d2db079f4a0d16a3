"""`scopezoo dataset register-all`: the transforms of all pairs of a dataset."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.dataset.register import ModelName
from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line


class SessionName(StrEnum):
    """What shares one transform."""

    PAIR = "pair"
    SPECIMEN = "specimen"
    DATASET = "dataset"


def register_all(
    dataset: Annotated[Path, typer.Argument(help="Folder of a dataset.")],
    model: Annotated[
        ModelName, typer.Option(help="rigid; similarity also scales; affine also shears.")
    ] = ModelName.SIMILARITY,
    session: Annotated[
        SessionName,
        typer.Option(help="What was taken without moving anything: one transform for all of it."),
    ] = SessionName.PAIR,
    smooth: Annotated[
        bool,
        typer.Option(
            "--smooth", help="Also fit each pair's smooth residual (drift), if it makes it better."
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also pairs that were registered or failed before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> int:
    """Register and judge every pair; exit status 1 where one fails, which is then left out.

    The same command goes on where an earlier one was stopped.
    """
    from scopezoo.datasets.paired import Dataset
    from scopezoo.datasets.paired.finding import failed
    from scopezoo.datasets.paired.registering import register_pairs

    opened = Dataset.open(dataset)
    with progress_line("pairs", quiet) as progress:
        findings = register_pairs(
            opened,
            model=model.value,
            session=session.value,
            smooth=smooth,
            again=again,
            progress=progress,
        )
    for finding in findings:
        if finding.level == "error" or not quiet:
            say(finding.line())
    if as_json:
        pairs = [pair.model_dump(mode="json") for pair in opened.pairs]
        kept = ("id", "status", "reasons", "source_to_target", "quality")
        typer.echo(json.dumps([{key: pair[key] for key in kept} for pair in pairs], indent=2))
    if not quiet:
        good = sum(pair.status == "registered" for pair in opened.pairs)
        say(f"{dataset}: {good} of {len(opened.pairs)} pairs are registered")
    return 1 if failed(findings) else 0
