"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; SCOPEZOO_DATA says where, default ../shared/data."""
    folder = Path(os.environ.get("SCOPEZOO_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real images are not at {folder}; set SCOPEZOO_DATA to their folder")
    return folder
