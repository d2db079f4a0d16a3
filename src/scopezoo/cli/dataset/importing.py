"""`scopezoo dataset import`: from two folders of files to pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line
from scopezoo.errors import UsageError

MB = 1_000_000


def import_pairs(
    source_dir: Annotated[Path, typer.Argument(help="Files of the microscope to start from.")],
    target_dir: Annotated[Path, typer.Argument(help="Files of the microscope to get to.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the dataset.")],
    metadata: Annotated[
        Path | None,
        typer.Option(help="YAML with what files do not say; default: metadata.yaml beside them."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="Names, e.g. '{specimen}_{field}', or a regular expression."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="CSV with the columns source, target, specimen, field.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing or wrong; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but findings.")] = False,
) -> int:
    """Match, check and copy pairs of images; exit status 1 where some could not be taken.

    The same command goes on where an earlier one was stopped.
    """
    from scopezoo.datasets.paired import importing
    from scopezoo.datasets.paired.finding import failed

    if pattern and table:
        raise UsageError("give --pattern or --table, not both")
    found = importing.survey(
        source_dir, target_dir, metadata=metadata, pattern=pattern, table=table
    )
    for finding in found.findings:
        say(finding.line())
    findings = found.findings
    imported = 0
    if not dry_run and found.pairs:
        with progress_line("copying, MB", quiet) as show:
            dataset, more = importing.import_pairs(
                found, output, progress=lambda done, total: show(done // MB, total // MB)
            )
        for finding in more:
            say(finding.line())
        findings = [*findings, *more]
        imported = len(dataset.pairs)
    if as_json:
        ids = [pair.match.id for pair in found.pairs]
        content = {"pairs": ids, "findings": [finding.to_dict() for finding in findings]}
        typer.echo(json.dumps(content, indent=2))
    if not quiet:
        done = "nothing was written" if dry_run else f"{output} has {imported} pairs"
        say(f"{len(found.pairs)} pairs can be imported; {done}")
    return 1 if failed(findings) else 0
