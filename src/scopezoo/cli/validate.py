"""`scopezoo validate`: is this package safe, true to the format, correct, reproducible, good?

With `--dataset` it measures how good a model is on images with known answers.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.cli.progress import progress_line
from scopezoo.errors import UsageError

if TYPE_CHECKING:
    from scopezoo.validation import Check


class SplitName(StrEnum):
    """Which images of a dataset."""

    TEST = "test"
    VALIDATION = "validation"
    TRAINING = "training"
    ALL = "all"


def validate_packages(
    packages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACKAGE]...", help="Folders, zips, or ids of the collection."),
    ] = None,
    changed: Annotated[
        str | None,
        typer.Option(
            metavar="BASE", help="Instead: the collection's packages that differ from this branch."
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Instead: measure one model's quality on this dataset, a folder or an id."
        ),
    ] = None,
    split: Annotated[
        SplitName, typer.Option(help="With --dataset: which of its images.")
    ] = SplitName.TEST,
    uncertainty: Annotated[
        str | None,
        typer.Option(help="tta, with --dataset: how well the uncertainty tracks the true error."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Also run what is code: TorchScript, state dicts.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--report",
            help="Folder for report.md, report.json and report.xml; "
            "with --dataset quality.html, quality.json and quality.md.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> int:
    """Validate model packages; exit status 1 where a check failed."""
    from scopezoo.validation import validate, validate_changed, write_reports
    from scopezoo.validation.writing import reports_to_dict

    if dataset is not None:
        if changed is not None or packages is None or len(packages) != 1:
            raise UsageError("--dataset measures one model: give one MODEL, and no --changed")
        return measure(packages[0], dataset, split, trust, report, as_json, quiet, uncertainty)
    if uncertainty is not None:
        raise UsageError("--uncertainty is measured on images with known answers: give --dataset")
    if bool(packages) == (changed is not None):
        raise UsageError("give packages to validate, or --changed BASE")
    on_check = None if quiet else tell
    if changed is not None:
        reports = validate_changed(changed, Path.cwd(), trust=trust, on_check=on_check)
    else:
        reports = [validate(name, trust=trust, on_check=on_check) for name in packages or ()]
    if report is not None:
        write_reports(reports, report)
    if as_json:
        typer.echo(json.dumps(reports_to_dict(reports), indent=2))
    if not quiet:
        for one in reports:
            say(f"{one.package}: {'passed' if one.passed else 'FAILED'} in {one.duration_s:.1f} s")
    return 0 if all(one.passed for one in reports) else 1


def measure(
    model: str,
    dataset: str,
    split: SplitName,
    trust: bool,
    report: Path | None,
    as_json: bool,
    quiet: bool,
    uncertainty: str | None = None,
) -> int:
    """Measure a model's quality on a dataset and say it."""
    from scopezoo.validation.quality import measure_quality, write_quality
    from scopezoo.validation.quality.words import caveats, headline
    from scopezoo.validation.quality.writing import quality_json

    with progress_line("images", quiet) as progress:
        found = measure_quality(
            model, dataset, split.value, trust=trust, uncertainty=uncertainty, progress=progress
        )
    files = write_quality(found, report) if report is not None else []
    if as_json:
        typer.echo(quality_json(found), nl=False)
    if not quiet:
        for line in (*headline(found), *caveats(found)):
            say(line)
        for one in found.left_out:
            say(f"left out: {one.id}: {one.reason}")
        for path in files:
            say(f"{path}")
    return 0


def tell(check: Check) -> None:
    """A check in a line, and what to do about it."""
    signs = {"passed": "ok  ", "warned": "warn", "failed": "FAIL", "skipped": "skip"}
    say(f"{signs[check.status]} {check.level}/{check.name}: {check.message}")
    if check.hint and check.status in ("warned", "failed"):
        say(f"       {check.hint}")
