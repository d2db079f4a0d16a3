"""The examples run as they stand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.serving.live import live_server

EXAMPLES = REPOSITORY / "examples"
OVER_HTTP = EXAMPLES / "predict_over_http.py"
TWO_MICROSCOPES = EXAMPLES / "two_microscopes.sh"
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


@pytest.mark.timeout(1200)
@pytest.mark.slow
def test_two_microscopes_become_a_model_that_is_served(tmp_path: Path) -> None:
    """All commands of the tutorial, small: each ends well, what it promises is there, the model is
    better than the raw image on the specimen that it never saw, the server gives the same bytes.

    Nothing is said of how good a model can become: this one learned for seconds from two fields.
    """
    for name in ("torch", "matplotlib", "stardist", "SimpleITK"):
        pytest.importorskip(name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", TWO_MICROSCOPES, tmp_path / "out"],
        env={**os.environ, "PATH": path, "SCOPEZOO_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert "4 of 4 pairs are registered" in done.stderr
    for name in (
        "check.html",
        "wf-to-confocal/history.png",
        "wf-to-confocal.zip",
        "quality/quality.html",
        "here.preview.png",
        "cells-two-scopes.zip",
        "pulled/dataset.json",
    ):
        assert (out / name).stat().st_size > 1000, name
    means = json.loads((out / "quality" / "quality.json").read_text())["summary"]["means"]
    assert means["prediction"]["psnr_db"] > means["input"]["psnr_db"] + 0.5
    assert means["prediction"]["pearson_r"] > means["input"]["pearson_r"]
    assert (out / "here.tif").read_bytes() == (out / "there.tif").read_bytes()
    pulled = json.loads((out / "pulled" / "dataset.json").read_text())["pairs"]
    assert [pair["id"] for pair in pulled] == ["dish-4_001"]
