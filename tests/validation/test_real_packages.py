"""Two packages of the zoo: one with a halo that is too small, one that must not be fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scopezoo.validation import Check, Report, validate


def named(report: Report) -> dict[str, Check]:
    return {f"{check.level}/{check.name}": check for check in report.checks}


def test_dynamic_is_reported_for_its_halo(shared_data: Path) -> None:
    report = validate(shared_data / "bmz_nuclei_broad_dynamic")
    assert report.passed
    for axis in "yx":
        found = named(report)[f"seamless/halo {axis}"]
        assert found.status == "warned"
        assert found.measured["declared_px"] == 32
        assert found.measured["radius_px"] == 58
        assert 32 < found.measured["needed_px"] <= 64
        assert found.measured["error_at_declared"] > 1e-4
    assert named(report)["seamless/tiles of probability"].status == "passed"
    assert named(report)["compatible/bioimageio.core onnx"].status == "passed"
    assert named(report)["safe/weights torchscript"].status == "warned"


@pytest.mark.parametrize("version", ["0.5.4", "0.4.9"])
def test_fixed_is_judged_from_onnx_alone(shared_data: Path, tmp_path: Path, version: str) -> None:
    source = shared_data / "bmz_nuclei_broad_fixed"
    if version == "0.4.9":
        folder = tmp_path / "package"
        shutil.copytree(source, folder)
        (folder / "bioimageio.yaml").unlink()
        (folder / "v0_4_9.bioimageio.yaml").rename(folder / "rdf.yaml")
        source = folder
    report = validate(source)
    checks = named(report)
    assert report.passed
    assert checks["safe/weights pytorch_state_dict"].status == "warned"
    assert "is a URL" in checks["safe/weights pytorch_state_dict"].message
    assert checks["format/read by scopezoo"].message == f"format {version}"
    assert checks["reproduces/onnx reproduces probability"].status == "passed"
    assert checks["offline/network"].measured["attempts"] == 0
    assert checks["compatible/bioimageio.core onnx"].status == "passed"


def test_trust_runs_torchscript_too(shared_data: Path) -> None:
    pytest.importorskip("torch", reason="TorchScript needs the extra torch")
    report = validate(shared_data / "bmz_nuclei_broad_dynamic", trust=True)
    checks = named(report)
    assert report.passed
    assert checks["reproduces/torchscript reproduces probability"].status == "passed"
    assert checks["runtimes/torchscript on the test input: probability"].status == "passed"
    assert checks["compatible/bioimageio.core torchscript"].status == "passed"
