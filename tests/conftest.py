"""Fixtures that all tests share, and what CI makes of skipped tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("scopezoo", deadline=None)  # the machines are noisy
settings.load_profile("scopezoo")

# A shell starts what runs in the background with Ctrl-C ignored, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parents[1]


NO_DATA = "the real images are not at"
ROOT_READS_ALL = "root may read all"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001 # part of the hook
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With SCOPEZOO_NO_SKIPS, a test skipped for want of a program fails."""
    report = yield
    reason = str(report.longrepr)
    allowed = NO_DATA in reason or ROOT_READS_ALL in reason
    if report.skipped and os.environ.get("SCOPEZOO_NO_SKIPS") and not allowed:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where nothing may be: {reason}"
    return report


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; SCOPEZOO_DATA says where, default ../shared/data."""
    folder = Path(os.environ.get("SCOPEZOO_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{NO_DATA} {folder}; set SCOPEZOO_DATA to their folder")
    return folder
