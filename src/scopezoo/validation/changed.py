"""Validates what a branch touches in the collection."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from scopezoo.errors import FileError, UsageError
from scopezoo.store.files import open_files
from scopezoo.store.rdf import RDF_NAMES
from scopezoo.validation.judge import validate
from scopezoo.validation.limits import DEFAULT_LIMITS, Limits
from scopezoo.validation.recipe import RECIPE_NAME, recipe_check
from scopezoo.validation.report import Check, Identity, Report

_MODELS = PurePosixPath("collection/models")


def validate_changed(
    base: str,
    repository: Path,
    *,
    trust: bool = False,
    on_check: Callable[[Check], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Report]:
    """Validate every package under `collection/models` that differs from where `base` was left.

    `base` is a branch or commit; a package counts as touched if any file in its folder is, its
    recipe included. A recipe without a package is judged alone; what was removed is not looked at.
    Raises UsageError for a base that git does not know, FileError where git cannot be run.
    """
    reports: list[Report] = []
    for folder in changed_packages(base, repository):
        if _is_recipe_alone(repository / folder):
            reports.append(_recipe_report(repository / folder, trust, on_check))
        else:
            reports.append(
                validate(repository / folder, trust=trust, on_check=on_check, limits=limits)
            )
    return reports


def _is_recipe_alone(folder: Path) -> bool:
    has_package = any((folder / name).exists() for name in RDF_NAMES)
    return (folder / RECIPE_NAME).exists() and not has_package


def _recipe_report(folder: Path, trust: bool, on_check: Callable[[Check], None] | None) -> Report:
    why = "there is no package yet: scopezoo train the recipe, then scopezoo package it"
    checks = (
        recipe_check("format", open_files(folder), None),
        Check("reproduces", "package", "skipped", why),
    )
    if on_check is not None:
        for check in checks:
            on_check(check)
    return Report(str(folder), Identity(folder.name), trust, checks, {}, 0.0)


def changed_packages(base: str, repository: Path) -> list[PurePosixPath]:
    """Folders of the packages that the working branch touches since `base`, sorted."""
    paths = [PurePosixPath(name) for name in _changed_files(base, repository)]
    folders = {
        _MODELS / path.parts[2]
        for path in paths
        if path.is_relative_to(_MODELS) and len(path.parts) > 3
    }
    return sorted(folder for folder in folders if (repository / folder).is_dir())


def _changed_files(base: str, repository: Path) -> list[str]:
    if base.startswith("-") or not base:
        raise UsageError(f"base {base!r}: expected a branch or commit, e.g. origin/main")
    command = ["git", "diff", "--name-only", "-z", f"{base}...", "--", str(_MODELS)]
    try:
        done = subprocess.run(command, cwd=repository, capture_output=True, check=False)
    except OSError as error:
        raise FileError(f"git cannot be run in {repository}: {error}") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        raise UsageError(f"git does not know what changed since {base!r}: {said}")
    return [name for name in done.stdout.decode(errors="surrogateescape").split("\0") if name]
