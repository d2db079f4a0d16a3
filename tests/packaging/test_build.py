"""Packages made whole: they load elsewhere, prove themselves, and are the same each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from scopezoo.errors import FileError, PackageError, UnsafePackageError, UsageError
from scopezoo.packaging import package
from scopezoo.predict.engine import Engine
from scopezoo.store import open_package
from tests.packaging.conftest import DATA, Packaged, packaged
from tests.packaging.networks import METADATA, blur, onnx_folder, with_external_data


def core_status(path: Path, weights_format: str) -> str:
    from bioimageio.core import test_model

    return test_model(path, weight_format=weights_format).status


@pytest.mark.parametrize("weights_format", ["onnx", "torchscript", "pytorch_state_dict"])
def test_core_reproduces_every_format(tiny: Packaged, weights_format: str) -> None:
    assert core_status(tiny.zip, weights_format) == "passed"


def test_core_reproduces_a_foreign_file(foreign: Packaged) -> None:
    assert core_status(foreign.zip, "onnx") == "passed"


def test_engine_reproduces_the_test_output(tiny: Packaged) -> None:
    package_ = open_package(tiny.zip)
    (image,), (labels,) = package_.description.inputs, package_.description.outputs
    given = np.load(tiny.folder / image.test_tensor.source)
    expected = np.load(tiny.folder / labels.test_tensor.source)
    found = Engine(package_).predict_sample({"image": given})["labels"]
    np.testing.assert_array_equal(found, expected)
    assert expected.max() > 5


def test_two_processes_give_the_same_bytes(tiny: Packaged, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from scopezoo.packaging import package; "
        "report = package(Path(sys.argv[1]), Path(sys.argv[2])); assert not report.is_measured_now"
    )
    again = tmp_path / "again.zip"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", code, str(tiny.source), str(again)], check=True, env=environment
    )
    assert again.read_bytes() == tiny.zip.read_bytes()


def test_measured_figures_are_kept_and_used(foreign: Packaged) -> None:
    kept = json.loads((foreign.source / "measured.json").read_text())
    assert kept["packaging"] == foreign.report.figures.model_dump(mode="json")
    assert json.loads((foreign.folder / "measured.json").read_text()) == kept
    assert foreign.report.is_measured_now


def test_what_others_measured_stays_and_shows(tiny: Packaged, tmp_path: Path) -> None:
    source = tmp_path / "tiny-stardist"
    source.mkdir()
    for name in ("recipe.yaml", "weights.pt", "measured.json"):
        (source / name).write_bytes((tiny.source / name).read_bytes())
    measured = json.loads((source / "measured.json").read_text())
    measured["evaluation"] = {
        "command": "python -m somewhere",
        "dataset": "dsb2018",
        "part": "test",
        "images": 7,
        "objects": 70,
        "table": [{"iou": 0.5, "average_precision": 0.4321}],
    }
    measured["training"] = {"steps": 400}
    (source / "measured.json").write_text(json.dumps(measured))
    (source / "notes.txt").write_text("mine")
    report = package(source, source)
    assert not report.is_measured_now
    assert json.loads((source / "measured.json").read_text()) == measured
    rdf = yaml.safe_load((source / "rdf.yaml").read_text())
    (evaluation,) = rdf["config"]["bioimageio"]["evaluations"]
    assert evaluation["results"] == [[0.4321]]
    card = (source / "README.md").read_text()
    assert "| AP 0.5 | 0.432 |" in card
    assert "python -m somewhere" in card
    assert set(rdf["weights"]) == {"onnx", "pytorch_state_dict"}
    assert (source / "notes.txt").read_text() == "mine"
    assert not list(source.glob(".*")), "unfinished files are left"
    assert core_status(source / "rdf.yaml", "pytorch_state_dict") == "passed"


def test_changed_weights_are_measured_again(tiny: Packaged, tmp_path: Path) -> None:
    source = onnx_folder(tmp_path / "blur", blur())
    measured = json.loads((tiny.source / "measured.json").read_text())
    (source / "measured.json").write_text(json.dumps(measured))
    report = package(source, tmp_path / "blur.zip")
    assert report.is_measured_now
    assert report.figures.subject_sha256 != measured["packaging"]["subject_sha256"]


def test_damaged_figures_are_named(tmp_path: Path) -> None:
    source = onnx_folder(tmp_path / "blur", blur())
    (source / "measured.json").write_text('{"packaging": {"halo": 3}}')
    with pytest.raises(FileError, match=r"packaging\.subject_sha256.*measure again"):
        package(source, tmp_path / "blur.zip")


def test_halo_is_measured(foreign: Packaged) -> None:
    assert foreign.report.figures.halo.needed_px == {"y": 1, "x": 1}
    rdf = yaml.safe_load((foreign.folder / "rdf.yaml").read_text())
    assert [axis.get("halo") for axis in rdf["outputs"][0]["axes"]] == [None, None, 1, 1]


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        ({"size": 64}, (1, 1, 64, 64)),
        ({"stride": 2}, (1, 1, 48, 48)),
        ({"pad": 0}, (1, 1, 94, 94)),
        ({"channels": 3}, (1, 3, 96, 96)),
    ],
)
def test_sizes_follow_from_the_network(
    tmp_path: Path,
    network: dict[str, int],
    shape: tuple[int, ...],
) -> None:
    made = packaged(onnx_folder(tmp_path / "blur", blur(**network)), tmp_path / "blur.zip")
    assert np.load(made.folder / "test_smooth_image.npy").shape == shape
    assert core_status(made.zip, "onnx") == "passed"


def test_a_folder_is_replaced_only_by_a_package(tmp_path: Path, foreign: Packaged) -> None:
    package(foreign.source, tmp_path / "made")
    stale = tmp_path / "made" / "stale.txt"
    stale.write_text("of an older package")
    package(foreign.source, tmp_path / "made")
    assert not stale.exists()
    assert open_package(tmp_path / "made").id == "blur-of-a-test"
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not a package"):
        package(foreign.source, other)
    assert (other / "chapter.txt").read_text() == "years of work"


def test_a_source_is_not_overwritten(tmp_path: Path) -> None:
    source = onnx_folder(tmp_path / "blur", blur())
    with pytest.raises(UsageError, match="the source itself"):
        package(source, source)


def test_weights_of_another_network(tmp_path: Path) -> None:
    source = tmp_path / "tiny"
    source.mkdir()
    recipe = (DATA / "tiny_stardist" / "recipe.yaml").read_text()
    (source / "recipe.yaml").write_text(recipe.replace("rays: 8", "rays: 16"))
    (source / "weights.pt").write_bytes((DATA / "tiny_stardist" / "weights.pt").read_bytes())
    with pytest.raises(FileError, match=r"weights\.pt does not fit the network of tiny-stardist"):
        package(source, tmp_path / "tiny.zip")


def test_a_state_dict_with_code_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "tiny"
    source.mkdir()
    (source / "recipe.yaml").write_bytes((DATA / "tiny_stardist" / "recipe.yaml").read_bytes())
    torch.save({"head": print}, source / "weights.pt")
    with pytest.raises(FileError, match=r"weights\.pt cannot be read as torch tensors"):
        package(source, tmp_path / "tiny.zip")


def test_external_data_is_refused(tmp_path: Path) -> None:
    source = onnx_folder(tmp_path / "blur", with_external_data(blur()))
    with pytest.raises(UnsafePackageError, match="are in another file"):
        package(source, tmp_path / "blur.zip")


def test_not_an_onnx_file(tmp_path: Path) -> None:
    source = onnx_folder(tmp_path / "blur", b"not a network")
    with pytest.raises(PackageError, match="export the"):
        package(source, tmp_path / "blur.zip")
    assert not (tmp_path / "blur.zip").exists()


def test_a_network_that_fails_on_its_sizes(tmp_path: Path) -> None:
    source = onnx_folder(
        tmp_path / "blur",
        blur(pad=0),
        inputs=[{"axes": "bcyx", "size": {"y": 2, "x": 2}, "test": {"simulate": "spots"}}],
    )
    with pytest.raises(PackageError, match=r"fails on inputs of .*inputs\.0\.size"):
        package(source, tmp_path / "blur.zip")


def test_an_empty_test_output_is_refused(tmp_path: Path) -> None:
    steps = [{"id": "binarize", "kwargs": {"threshold": 1e9}}]
    source = onnx_folder(
        tmp_path / "blur", blur(), outputs=[{"axes": "bcyx", "postprocessing": steps}]
    )
    with pytest.raises(PackageError, match="0 everywhere"):
        package(source, tmp_path / "blur.zip")


def test_an_image_of_the_author(tmp_path: Path) -> None:
    import tifffile

    field = np.random.default_rng(0).integers(0, 4000, (5, 120, 130)).astype(np.uint16)
    test = {"image": "mine.tif", "credit": "A. Author, CC0", "size_px": {"y": 80, "x": 80}}
    source = onnx_folder(tmp_path / "blur", blur(), inputs=[{"axes": "bcyx", "test": test}])
    tifffile.imwrite(source / "mine.tif", field, imagej=True, metadata={"axes": "ZYX"})
    made = packaged(source, tmp_path / "blur.zip")
    np.testing.assert_array_equal(
        np.load(made.folder / "test_raw.npy")[0, 0], field[2, 20:100, 25:105]
    )
    assert "Test input: A. Author, CC0." in (made.folder / "README.md").read_text()


def test_nothing_to_package(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="has neither"):
        package(tmp_path, tmp_path / "x.zip")
    with pytest.raises(FileError, match="does not exist"):
        package(tmp_path / "absent", tmp_path / "x.zip")


def test_metadata_that_the_format_refuses(tmp_path: Path) -> None:
    source = onnx_folder(
        tmp_path / "blur",
        blur(),
        license="Public domain",
        authors=[{"name": "A. Author", "orcid": "12"}],
    )
    with pytest.raises(PackageError, match="orcid") as caught:
        package(source, tmp_path / "blur.zip")
    assert "license" in str(caught.value)


def test_u_fish(shared_data: Path, tmp_path: Path) -> None:
    """Somebody's trained spot enhancer, with the metadata that the examples have for it."""
    source = tmp_path / "ufish"
    source.mkdir()
    (weights,) = (shared_data / "ufish_onnx").glob("*.onnx")
    (source / weights.name).write_bytes(weights.read_bytes())
    example = Path(__file__).parents[2] / "examples" / "package_onnx" / "package.yaml"
    (source / "package.yaml").write_bytes(example.read_bytes())
    made = packaged(source, tmp_path / "ufish.zip")
    assert core_status(made.zip, "onnx") == "passed"
    assert made.report.figures.halo.needed_px == {"y": None, "x": None}
    assert "depends on the whole image" in (made.folder / "README.md").read_text()
    spots = np.load(made.folder / "test_spots.npy")
    assert (spots > 0.5).mean() < 0.2 < spots.max()


def test_minimal_metadata_is_minimal() -> None:
    """What the tests call minimal has nothing that could be left out, but tags and the like."""
    from pydantic import ValidationError

    from scopezoo.packaging.metadata import Metadata

    optional = {"tags", "task", "modality"}
    for key in set(METADATA) - optional:
        with pytest.raises(ValidationError):
            Metadata.model_validate({k: v for k, v in METADATA.items() if k != key})
