"""`scopezoo validate`: is this package safe, true to the format, correct, reproducible, good?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.errors import UsageError

if TYPE_CHECKING:
    from scopezoo.validation import Check


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
    trust: Annotated[
        bool, typer.Option("--trust", help="Also run what is code: TorchScript, state dicts.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.md, report.json and report.xml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> int:
    """Validate model packages; exit status 1 where a check failed."""
    from scopezoo.validation import validate, validate_changed, write_reports
    from scopezoo.validation.writing import reports_to_dict

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


def tell(check: Check) -> None:
    """A check in a line, and what to do about it."""
    signs = {"passed": "ok  ", "warned": "warn", "failed": "FAIL", "skipped": "skip"}
    say(f"{signs[check.status]} {check.level}/{check.name}: {check.message}")
    if check.hint and check.status in ("warned", "failed"):
        say(f"       {check.hint}")
