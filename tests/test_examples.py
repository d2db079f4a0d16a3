"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SCRIPTS = sorted((REPOSITORY / "examples").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    pytest.importorskip("stardist")
    done = subprocess.run(
        [sys.executable, script, tmp_path / "results"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nuclei" in done.stdout


def test_the_demo_leaves_what_it_promises(tmp_path: Path) -> None:
    pytest.importorskip("stardist")
    script = REPOSITORY / "examples" / "demo.py"
    subprocess.run([sys.executable, script, "demo"], cwd=tmp_path, check=True)
    names = sorted(path.name for path in (tmp_path / "demo").iterdir())
    assert names == [
        "nuclei.csv",
        "nuclei.json",
        "nuclei.preview.png",
        "nuclei.rois.zip",
        "nuclei.tif",
    ]
