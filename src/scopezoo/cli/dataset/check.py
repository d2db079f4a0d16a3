"""`scopezoo dataset check`: is a dataset whole, and fit to train on?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line


def check_dataset(
    dataset: Annotated[Path, typer.Argument(help="Folder or zip of a dataset.")],
    report: Annotated[
        Path | None, typer.Option(help="An HTML file to write, with a picture of every pair.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> int:
    """Verify files, hashes, pixels, transforms and split; exit status 1 where an error is found."""
    from scopezoo.datasets.paired import Dataset
    from scopezoo.datasets.paired.checking import check_dataset as check
    from scopezoo.datasets.paired.report import write_report

    opened = Dataset.open(dataset)
    with progress_line("pairs", quiet) as progress:
        found = check(opened, progress)
    if report is not None:
        write_report(opened, found, report)
    for finding in found.findings:
        if finding.level == "error" or not quiet:
            say(finding.line())
    if as_json:
        content = {
            "dataset": found.name,
            "pairs": found.pairs,
            "passed": found.passed,
            "findings": [finding.to_dict() for finding in found.findings],
        }
        typer.echo(json.dumps(content, indent=2))
    if not quiet:
        say(f"{dataset}: {found.pairs} pairs, {'passed' if found.passed else 'FAILED'}")
    return 0 if found.passed else 1
