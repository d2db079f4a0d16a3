"""Packages that the validation tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scopezoo.validation import Limits, Report, validate
from tests.validation.packages import Files, Rdf, package_files, write_folder

Change = Callable[[Rdf, Files], None]
Judge = Callable[[Change | None], Report]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Validates the small good package after a change to it."""

    def run(change: Change | None = None) -> Report:
        folder = write_folder(tmp_path / "package", package_files(change))
        return validate(folder, limits=Limits(seconds_per_check=60))

    return run
