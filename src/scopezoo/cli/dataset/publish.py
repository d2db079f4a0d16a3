"""`scopezoo dataset publish`: one checked archive that others can find, read and cite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line


def publish_dataset(
    dataset: Annotated[Path, typer.Argument(help="Folder of a dataset.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The zip to write.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> int:
    """Check a dataset, write its card and descriptions, and pack it; exit status 1 if it lacks
    what others need."""
    from scopezoo.datasets.paired import Dataset
    from scopezoo.datasets.paired.finding import failed
    from scopezoo.datasets.paired.publishing import publish

    with progress_line("files", quiet) as progress:
        findings = publish(Dataset.open(dataset), output, progress=progress)
    for finding in findings:
        if finding.level == "error" or not quiet:
            say(finding.line())
    if failed(findings):
        say(f"{output} was not written")
        return 1
    if not quiet:
        say(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
    return 0
