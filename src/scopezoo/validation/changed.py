"""Validates what a branch touches in the collection."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from scopezoo.errors import FileError, UsageError
from scopezoo.validation.judge import validate
from scopezoo.validation.limits import DEFAULT_LIMITS, Limits
from scopezoo.validation.report import Check, Report

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
    recipe included, and one that was removed is not looked at.
    Raises UsageError for a base that git does not know, FileError where git cannot be run.
    """
    return [
        validate(repository / folder, trust=trust, on_check=on_check, limits=limits)
        for folder in changed_packages(base, repository)
    ]


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
