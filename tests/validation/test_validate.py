"""A good package passes, level by level, and each fault is found where it belongs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from scopezoo.errors import FileError, ScopezooError
from scopezoo.validation import Check, Report, validate
from scopezoo.validation.levels import LEVELS
from tests.validation.conftest import Judge
from tests.validation.packages import (
    Files,
    Rdf,
    network,
    noise_image,
    npy,
    package_files,
    write_folder,
    write_zip,
)


def named(report: Report) -> dict[str, Check]:
    return {f"{check.level}/{check.name}": check for check in report.checks}


def failed_levels(report: Report) -> set[str]:
    return {check.level for check in report.checks if check.status == "failed"}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("good")
    return validate(write_zip(folder / "filter.zip", package_files()), report=folder / "report")


def test_a_good_package_passes_every_level(good: Report) -> None:
    assert good.passed
    assert list(dict.fromkeys(check.level for check in good.checks)) == list(LEVELS)
    skipped = [check.name for check in good.checks if check.status == "skipped"]
    assert set(skipped) <= {"time", "memory", "openvino", "runtimes"}
    warned = {f"{check.level}/{check.name}" for check in good.checks if check.status == "warned"}
    assert warned <= {"evidence/evaluations", "format/bioimageio.spec"}


def test_the_report_says_what_was_judged(good: Report) -> None:
    assert (good.identity.id, good.identity.version) == ("filter", "1.2.0")
    assert {"rdf.yaml", "weights.onnx", "in.npy", "out.npy"} <= set(good.identity.sha256)
    assert {"scopezoo", "onnxruntime", "bioimageio.core"} <= set(good.versions)


def test_measured_figures(good: Report) -> None:
    checks = named(good)
    assert checks["reproduces/onnx reproduces smooth"].measured["max_abs"] < 1e-5
    halo = checks["seamless/halo y"].measured
    assert (halo["declared_px"], halo["needed_px"], halo["radius_px"]) == (2, 2, 2)
    assert checks["seamless/tiles of smooth"].measured["tiles"] > 4
    assert checks["offline/network"].measured["attempts"] == 0


def test_a_folder_is_judged_like_its_zip(good: Report, judge: Judge) -> None:
    assert [(c.level, c.name, c.status) for c in judge().checks] == [
        (c.level, c.name, c.status) for c in good.checks
    ]


def test_checks_are_told_as_they_come(tmp_path: Path) -> None:
    told: list[Check] = []
    folder = write_folder(tmp_path / "p", package_files())
    report = validate(folder, on_check=told.append)
    assert tuple(told) == report.checks


def test_what_does_not_reproduce(judge: Judge) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["out.npy"] = npy(noise_image())

    report = judge(change)
    checks = named(report)
    assert checks["reproduces/onnx runs"].status == "passed"
    found = checks["reproduces/onnx reproduces smooth"]
    assert found.status == "failed"
    assert found.message.startswith("runs but does not reproduce")
    assert found.measured["mismatched_ppm"] > 900_000
    assert checks["seamless/seamless"].status == "skipped"
    assert "reproduces" in checks["seamless/seamless"].message


def test_what_does_not_run(judge: Judge) -> None:
    def change(_: Rdf, files: Files) -> None:
        nodes = [helper.make_node("MatMul", ["raw", "w"], ["smooth"])]
        weights = {"w": np.zeros((7, 7), np.float32)}
        files["weights.onnx"] = network(nodes, weights).SerializeToString()

    report = judge(change)
    found = named(report)["reproduces/onnx runs"]
    assert found.status == "failed"
    assert found.message.startswith("does not run")
    assert failed_levels(report) == {"reproduces"}


def test_stated_tolerance_is_what_counts(judge: Judge) -> None:
    def change(rdf: Rdf, files: Files) -> None:
        off = np.load(io.BytesIO(files["out.npy"])) + np.float32(0.01)
        files["out.npy"] = npy(off)
        rdf["config"] = {
            "bioimageio": {
                "reproducibility_tolerance": [
                    {"absolute_tolerance": 1e-9, "output_ids": ["other"]},
                    {"absolute_tolerance": 0.02, "relative_tolerance": 0.0},
                ]
            }
        }

    report = judge(change)
    found = named(report)["reproduces/onnx reproduces smooth"]
    assert found.status == "passed"
    assert found.measured["max_abs"] == pytest.approx(0.01, rel=1e-3)


def test_wrong_shape_is_not_reproduced(judge: Judge) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["out.npy"] = npy(noise_image(39))

    found = named(judge(change))["reproduces/onnx reproduces smooth"]
    assert "shape" in found.message


def test_a_constant_test_output_is_told(judge: Judge) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["in.npy"] = npy(np.zeros((1, 1, 40, 40), np.float32))
        files["out.npy"] = npy(np.zeros((1, 1, 40, 40), np.float32))

    assert named(judge(change))["reproduces/test output smooth"].status == "warned"


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("license", 17, "license"),
        ("cite", "none", "cite"),
        ("name", "", "name"),
        ("inputs", [], "inputs"),
        ("outputs", "none", "outputs"),
    ],
)
def test_format_errors_name_their_place(judge: Judge, field: str, value: object, word: str) -> None:
    def change(rdf: Rdf, _: Files) -> None:
        rdf[field] = value

    report = judge(change)
    assert failed_levels(report) == {"format"}
    assert any(word in c.message for c in report.checks if c.status == "failed")


def test_missing_test_tensor(judge: Judge) -> None:
    def change(rdf: Rdf, _: Files) -> None:
        del rdf["outputs"][0]["test_tensor"]

    assert failed_levels(judge(change)) == {"format"}


def declare_halo(rdf: Rdf, halo: int) -> None:
    for axis in rdf["outputs"][0]["axes"]:
        if "halo" in axis:
            axis["halo"] = halo


def test_small_halo_is_a_warning_with_its_figure(judge: Judge) -> None:
    report = judge(lambda rdf, _: declare_halo(rdf, 1))
    found = named(report)["seamless/halo x"]
    assert found.status == "warned"
    assert (found.measured["declared_px"], found.measured["needed_px"]) == (1, 2)
    assert found.measured["error_at_declared"] > 1e-3
    assert "declare a halo of 2" in found.hint
    assert named(report)["seamless/tiles of smooth"].status == "passed"
    assert report.passed


def test_random_network(judge: Judge) -> None:
    def change(_: Rdf, files: Files) -> None:
        nodes = [
            helper.make_node("RandomNormalLike", ["raw"], ["noise"], scale=1e-6),
            helper.make_node("Add", ["raw", "noise"], ["smooth"]),
        ]
        files["weights.onnx"] = network(nodes).SerializeToString()
        files["out.npy"] = files["in.npy"]

    report = judge(change)
    assert failed_levels(report) == {"deterministic"}


def test_network_that_takes_one_size(judge: Judge) -> None:
    def change(rdf: Rdf, files: Files) -> None:
        files["weights.onnx"] = network(shape=(1, 1, 40, 40)).SerializeToString()
        for tensor in (rdf["inputs"][0], rdf["outputs"][0]):
            for axis in tensor["axes"]:
                if axis["type"] == "batch":
                    axis["size"] = 1
                elif axis["type"] == "space" and "min" in axis["size"]:
                    axis["size"] = 40

    report = judge(change)
    checks = named(report)
    assert report.passed
    assert checks["seamless/tiles"].status == "skipped"
    assert "one size" in checks["seamless/tiles"].message
    assert checks["sizes/odd"].status == "passed"


def test_batch_size_that_core_tries(judge: Judge) -> None:
    """The description allows any batch, the network takes one: bioimageio.core's test says so."""

    def change(_: Rdf, files: Files) -> None:
        files["weights.onnx"] = network(shape=(1, 1, "y", "x")).SerializeToString()

    report = judge(change)
    assert failed_levels(report) == {"compatible"}
    assert "valid-format" in named(report)["compatible/bioimageio.core onnx"].message


def test_network_that_cannot_take_the_sizes_it_states(judge: Judge) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["weights.onnx"] = network(shape=(1, 1, 40, 40)).SerializeToString()

    assert "reproduces" not in failed_levels(judge(change))
    assert failed_levels(judge(change))


def step(rdf: Rdf, identity: str, **arguments: object) -> None:
    rdf["inputs"][0]["preprocessing"] = [{"id": identity, "kwargs": arguments}]


def test_deepimagej_rules_are_warnings(judge: Judge) -> None:
    def change(rdf: Rdf, files: Files) -> None:
        files["net/weights.onnx"] = network(opset=19).SerializeToString()
        rdf["weights"]["onnx"] = {"source": "net/weights.onnx", "opset_version": 19}
        files["rdf2"] = b""
        rdf["covers"] = [{"source": "cover.png"}]
        rdf["format_version"] = "0.5.4"
        step(rdf, "clip", min_percentile=0.0, max_percentile=100.0)

    report = judge(change)
    found = [c for c in report.checks if c.name.startswith("deepImageJ")]
    assert {c.status for c in found} == {"warned"}
    assert {c.name.split(": ")[1] for c in found} >= {"weights", "engines", "processing"}
    assert all(c.hint for c in found)


def test_stated_time_and_memory(judge: Judge) -> None:
    def change(rdf: Rdf, _: Files) -> None:
        rdf["config"] = {
            "bioimageio": {
                "inference_time": "3600 s for 64 × 64 pixels (one thread)",
                "memory_requirements_inference": "0.0001 MB for 1024 × 1024 pixels",
            }
        }

    report = judge(change)
    checks = named(report)
    assert report.passed
    assert checks["resources/time"].status == "passed"
    assert checks["resources/time"].measured["stated_s"] == 3600
    assert checks["resources/memory"].status == "warned"
    assert checks["resources/memory"].measured["measured_MB"] > 1


def test_evidence(judge: Judge) -> None:
    def change(rdf: Rdf, files: Files) -> None:
        files["README.md"] = b"# A filter without proof\n"
        del rdf["training_data"]

    checks = named(judge(change))
    for name in ("validation section", "evaluations", "training data"):
        assert checks[f"evidence/{name}"].status == "warned"
        assert checks[f"evidence/{name}"].hint


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ScopezooError):
        validate(tmp_path / "nothing")


def test_reports_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = write_folder(tmp_path / "p", {"rdf.yaml": b"- not a package"})
    with pytest.raises(FileError):
        validate(folder, report=tmp_path / "file" / "report")


def test_json_of_a_real_report(good: Report) -> None:
    plain = json.loads(json.dumps(good.to_dict(), allow_nan=False))
    assert plain["passed"] is True
    assert plain["identity"]["id"] == "filter"
    assert len(plain["checks"]) == len(good.checks)
