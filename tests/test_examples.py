"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.serving.live import live_server

EXAMPLES = REPOSITORY / "examples"
OVER_HTTP = EXAMPLES / "predict_over_http.py"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize(
    "script", [path for path in SCRIPTS if path != OVER_HTTP], ids=lambda script: script.name
)
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


def test_a_server_gives_what_this_machine_gives(tmp_path: Path) -> None:
    pytest.importorskip("stardist")
    with live_server(tmp_path / "server", models=("nuclei-stardist-2d",)) as address:
        done = subprocess.run(
            [sys.executable, OVER_HTTP, address, tmp_path / "results"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    here = subprocess.run(
        [sys.executable, EXAMPLES / "predict_array.py"], capture_output=True, text=True, check=True
    )
    assert here.stdout.splitlines()[0] in done.stdout
    assert len(list((tmp_path / "results").iterdir())) == 5
