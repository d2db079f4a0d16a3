"""The check finds what is wrong, on the pair where it is, and nothing on a sound dataset."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.checking import check_dataset, neighbour_correlation
from scopezoo.datasets.paired.finding import Finding
from scopezoo.datasets.paired.manifest import Specimen
from scopezoo.datasets.paired.report import write_report
from scopezoo.datasets.paired.sampling import GriddedImage
from scopezoo.datasets.paired.splitting import split_dataset
from scopezoo.datasets.paired.store import NewImage, new_manifest
from scopezoo.errors import FileError
from scopezoo.image import Image
from tests.datasets.paired.pairs import dataset, image, known_pair


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "d"
    split_dataset(dataset(folder, ["a", "b", "c"]), 0)
    return folder


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "d")
    return tmp_path / "d"


def findings(folder: Path) -> list[Finding]:
    return check_dataset(Dataset.open(folder)).findings


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_sound_dataset_passes(sound: Path) -> None:
    report = check_dataset(Dataset.open(sound))
    assert (report.passed, report.findings, report.pairs) == (True, [], 3)


def _chunk(folder: Path) -> Path:
    return sorted((folder / "fields/b_1/target.ome.zarr/0/c").rglob("*"))[-1]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _rescale(folder: Path) -> None:
    path = folder / "fields/b_1/target.ome.zarr/zarr.json"
    path.write_text(path.read_text().replace("0.15", "0.16"))


def _matrix(change: Callable[[np.ndarray], None]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        def changed(content: dict[str, Any]) -> None:
            matrix = np.array(content["pairs"][1]["source_to_target"]["matrix"])
            change(matrix)
            content["pairs"][1]["source_to_target"]["matrix"] = matrix.tolist()

        edit(folder, changed)

    return spoil


def _swap_z(matrix: np.ndarray) -> None:
    matrix[[0, 1]] = matrix[[1, 0]]


def _status(status: str, **more: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, lambda c: c["pairs"][1].update(status=status, **more))


ERRORS: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bit": (lambda d: _flip(_chunk(d)), "sha256|cannot be read"),
    "missing chunk": (lambda d: _chunk(d).unlink(), "sha256"),
    "further chunk": (lambda d: (_chunk(d).parent / "9").write_bytes(b"x"), "sha256"),
    "missing image": (lambda d: shutil.rmtree(d / "fields/b_1/source.ome.zarr"), "no OME-Zarr"),
    "other voxel size": (_rescale, "0.16 µm along Y, the manifest says 0.15"),
    "other shape": (
        lambda d: edit(d, lambda c: c["pairs"][1]["source"].update(shape=[1, 60, 64])),
        r"the manifest says ZYX \(1, 60, 64\)",
    ),
    "no inverse": (_matrix(lambda m: m[0].fill(0)), "cannot be inverted"),
    "mirrored": (_matrix(lambda m: m[0].__imul__(-1)), "mirrors"),
    "z swapped": (_matrix(_swap_z), "mirrors"),
    "stretched": (_matrix(lambda m: m[:3, :3].__imul__(2)), "stretches by 2"),
    "no overlap": (_matrix(lambda m: m[:3, 3].__iadd__(500)), "overlap by 0 %"),
    "bad quality": (
        lambda d: edit(
            d, lambda c: c["pairs"][1].update(quality={"passed": False, "reasons": ["blurred"]})
        ),
        "did not pass: blurred",
    ),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_what_is_broken_is_found_where_it_is(copy: Path, kind: str) -> None:
    spoil, message = ERRORS[kind]
    spoil(copy)
    errors = [one for one in findings(copy) if one.level == "error"]
    assert any(re.search(message, one.message) for one in errors), errors
    assert {one.about for one in errors} == {"b_1"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_status("failed", reasons=["no overlap"]), "left out.*no overlap"),
        (_status("unregistered"), "not registered"),
        (lambda d: edit(d, lambda c: c.update(split=None)), "no split"),
    ],
)
def test_what_is_not_done_yet_is_a_warning(
    copy: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(copy)
    report = check_dataset(Dataset.open(copy))
    assert report.passed
    assert any(re.search(message, one.message) for one in report.findings)


def test_a_matrix_that_is_no_number_is_no_manifest(copy: Path) -> None:
    edit(copy, lambda content: content)
    text = (copy / "dataset.json").read_text()
    (copy / "dataset.json").write_text(text.replace('"matrix": [[1.0', '"matrix": [[1e999'))
    with pytest.raises(FileError, match="finite"):
        Dataset.open(copy)


def test_a_specimen_in_two_parts_is_found(copy: Path) -> None:
    def leak(content: dict[str, Any]) -> None:
        for names in content["split"]["parts"].values():
            names[:] = sorted({*names, "b"})

    edit(copy, leak)
    found = [one for one in findings(copy) if one.level == "error"]
    assert [(one.about, "leaks" in one.message) for one in found] == [("b", True)]


def test_one_field_in_two_parts_is_found(copy: Path) -> None:
    made = Dataset.open(copy)
    source, target = known_pair(0)
    again = source.with_data(source.read() + np.float32(3), "ZYX")
    made.add("z_9", Specimen(id="z"), NewImage(again, "wide"), NewImage(target, "confocal"))

    def leak(content: dict[str, Any]) -> None:
        parts = content["split"]["parts"]
        other = next(names for names in parts.values() if "a" not in names)
        other.append("z")

    edit(copy, leak)
    errors = [one.message for one in findings(copy) if one.level == "error"]
    assert any("a_0, z_9 show one field" in message for message in errors)


def test_saturated_and_empty_images_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.poisson(100, (1, 128, 128)).astype(np.uint16)
    smooth = np.add.outer(np.sin(np.arange(128) / 9), np.sin(np.arange(128) / 7))[None]
    bright = np.clip(3000 + 2500 * smooth, 0, 4095).astype(np.uint16)
    made = Dataset.create(tmp_path / "d", new_manifest("d", "D"))
    for number, pixels in enumerate((noise, bright)):
        one = NewImage(image(pixels, (1.0, 0.1, 0.1)), "a")
        made.add(f"p{number}", Specimen(id=f"s{number}"), one, one, aligned=True)
    found = check_dataset(made).findings
    assert any(one.about == "p0" and "all noise" in one.message for one in found)
    assert any(
        one.about == "p1" and one.level == "error" and "saturated (at 4095)" in one.message
        for one in found
    )


def test_pixels_spoilt_after_the_import_are_found(copy: Path) -> None:
    pixels = zarr.open_array(str(copy / "fields/b_1/source.ome.zarr/0"), mode="r+")
    pixels[3, :4] = np.nan
    messages = [one.message for one in findings(copy) if one.about == "b_1"]
    assert any("NaN" in message for message in messages)
    assert any("sha256" in message for message in messages)


def test_only_structure_makes_neighbours_alike() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (64, 64))
    assert abs(neighbour_correlation(GriddedImage(Image(noise, "YX"), (1, 1, 1), 0))) < 0.1
    source, _ = known_pair()
    assert neighbour_correlation(GriddedImage(source, (1, 1, 1), 0)) > 0.9


def test_the_report_is_one_file_with_a_picture_of_every_image(copy: Path, tmp_path: Path) -> None:
    _flip(_chunk(copy))
    edit(copy, lambda content: content.update(name="<script>alert(1)</script>"))
    made = Dataset.open(copy)
    write_report(made, check_dataset(made), tmp_path / "out" / "report.html")
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 6
    assert "http" not in page
    assert "<script" not in page
    assert page.index("<h3>b_1</h3>") < page.index("<h3>a_0</h3>")  # what is wrong comes first
