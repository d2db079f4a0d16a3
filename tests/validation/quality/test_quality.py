"""The whole report, of small models on small datasets."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopezoo.errors import FileError, IncompatibleImageError, UsageError
from scopezoo.image import arranged
from scopezoo.models.fidelity import fidelity
from scopezoo.predict import predict
from scopezoo.validation.quality import measure_quality, write_quality
from scopezoo.validation.quality.writing import quality_json
from tests.models.pairs import make_pairs
from tests.validation.quality.subjects import blur_model, noisy_pairs, nuclei, threshold_model


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(tmp_path_factory.mktemp("pairs") / "d")


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(blur_model(tmp_path_factory.mktemp("volume"), 3))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(blur_model(tmp_path_factory.mktemp("plane"), 2))


@pytest.fixture(scope="module")
def threshold(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(threshold_model(tmp_path_factory.mktemp("threshold")))


def test_the_figures_are_those_of_what_predict_gives(plane: str, tmp_path: Path) -> None:
    folder = noisy_pairs(tmp_path / "d")
    found = measure_quality(plane, str(folder), "all")
    for row in found.rows:
        image = predict(plane, folder / "low" / f"{row.id}.tif").images["out"]
        pixels = arranged(image.read(), tuple(image.axes), ("Z", "Y", "X")).astype(np.float32)
        wanted = tifffile.imread(folder / "GT" / f"{row.id}.tif")[None]
        expected = fidelity(pixels, wanted, np.ones(wanted.shape, bool), 1.0)
        assert row.figures["prediction"] == expected.as_dict()


def test_a_denoiser_is_better_than_its_input_and_the_worst_field_is_first(
    plane: str, tmp_path: Path
) -> None:
    found = measure_quality(plane, str(noisy_pairs(tmp_path / "d")), "test")
    assert [row.id for row in found.rows] == ["f2", "f1", "f0"]
    assert found.summary["means"]["prediction"]["psnr_db"] > (
        found.summary["means"]["input"]["psnr_db"] + 3
    )
    assert found.part is None
    assert "no split" in found.notes[0]


def test_registered_pairs_of_the_test_part_are_measured(volume: str, pairs: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = measure_quality(volume, str(pairs), progress=lambda *at: seen.append(at))
    assert [row.id for row in found.rows] == ["four"]
    assert seen == [(0, 1), (1, 1)]
    assert found.summary["has_pixel_size"]
    figures = found.rows[0].figures
    assert 0 < figures["consistency"]["r"] <= 1
    assert figures["structures"]["prediction"]["wanted"] > 0


def test_unregistered_pairs_are_left_out_and_told(volume: str, tmp_path: Path) -> None:
    from scopezoo.datasets.paired import Dataset

    folder = make_pairs(tmp_path / "d")
    dataset = Dataset.open(folder)
    dataset.set_registration("one", None, None, status="failed", reasons=["no overlap"])
    dataset.set_registration("two", None, None, status="unregistered")
    found = measure_quality(volume, str(folder), "all")
    assert {row.id for row in found.rows} == {"three", "four"}
    assert {(one.id, one.reason) for one in found.left_out} == {
        ("one", "registering it failed: no overlap"),
        ("two", "it is not registered"),
    }


def test_objects_are_counted_and_matched(threshold: str, tmp_path: Path) -> None:
    pytest.importorskip("stardist")
    found = measure_quality(threshold, str(nuclei(tmp_path / "d")))
    assert found.part == "test"
    assert {row.id for row in found.rows} == {"field0", "field1", "field2"}
    first = found.summary["by_iou"][0]
    assert first["tp"] + first["fn"] == found.summary["true_objects"]
    assert first["tp"] + first["fp"] == found.summary["found_objects"]
    assert first["average_precision"] > 0.3
    assert [row.badness for row in found.rows] == sorted(r.badness for r in found.rows)[::-1]


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.mark.parametrize("kind", ["restoration", "segmentation"])
def test_three_files_from_one_run_that_need_nothing_else(
    kind: str, volume: str, threshold: str, pairs: Path, tmp_path: Path
) -> None:
    if kind == "segmentation":
        pytest.importorskip("stardist")
    model = volume if kind == "restoration" else threshold
    dataset = pairs if kind == "restoration" else nuclei(tmp_path / "d")
    found = measure_quality(model, str(dataset))
    html, content, markdown = write_quality(found, tmp_path / "report")
    page = _Addresses()
    page.feed(html.read_text(encoding="utf-8"))
    assert page.found
    assert all(one.startswith("data:image/jpeg;base64,") for one in page.found)
    assert "script" not in page.tags
    places = [html.read_text(encoding="utf-8").index(f"<h3>{row.id}") for row in found.rows]
    assert places == sorted(places)
    parsed = json.loads(content.read_text(encoding="utf-8"))
    assert [one["id"] for one in parsed["cases"]] == [row.id for row in found.rows]
    assert re.search(r"^## Quality on ", markdown.read_text(encoding="utf-8"), re.MULTILINE)
    assert found.command in markdown.read_text(encoding="utf-8")
    again = measure_quality(model, str(dataset))
    assert quality_json(again) == quality_json(found) == content.read_text(encoding="utf-8")
    write_quality(again, tmp_path / "again")
    assert (tmp_path / "again" / "quality.html").read_bytes() == html.read_bytes()


def test_names_of_strangers_do_not_act_in_the_page(plane: str, tmp_path: Path) -> None:
    folder = noisy_pairs(tmp_path / "d")
    for part in ("low", "GT"):
        (folder / part / "f0.tif").rename(folder / part / "<img src=x onerror=alert(1)>.tif")
    found = measure_quality(plane, str(folder), "all")
    html, _, markdown = write_quality(found, tmp_path / "r")
    assert "<img src=x" not in html.read_text(encoding="utf-8")
    assert "<img src=x" not in markdown.read_text(encoding="utf-8")


def test_a_dataset_of_the_wrong_kind_is_told(
    plane: str,
    threshold: str,
    pairs: Path,
    volume: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SCOPEZOO_DATA", raising=False)
    masks = nuclei(tmp_path / "masks")
    with pytest.raises(IncompatibleImageError, match=r"gives images, .* has images/ and masks/"):
        measure_quality(plane, str(masks))
    with pytest.raises(IncompatibleImageError, match=r"gives label images, .* has pairs"):
        measure_quality(threshold, str(pairs))
    with pytest.raises(IncompatibleImageError, match="is a 3D model"):
        measure_quality(volume, str(noisy_pairs(tmp_path / "planes")))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(FileError, match=r"no dataset to measure on: expected dataset\.json"):
        measure_quality(plane, str(tmp_path / "nothing"))
    with pytest.raises(FileError, match="images of dsb2018 are not on this machine"):
        measure_quality(plane, "dsb2018")
    with pytest.raises(FileError, match="neither a folder nor a dataset"):
        measure_quality(plane, "no-such-dataset")


def test_a_dataset_without_a_test_part_is_told(volume: str, threshold: str, tmp_path: Path) -> None:
    from scopezoo.datasets.paired import Dataset

    folder = make_pairs(tmp_path / "d")
    Dataset.open(folder).update(lambda old: old.model_copy(update={"split": None}))
    with pytest.raises(UsageError, match=r"has no split.*--split all"):
        measure_quality(volume, str(folder))
    assert len(measure_quality(volume, str(folder), "all").rows) == 4
    masks = nuclei(tmp_path / "masks")
    with pytest.raises(UsageError, match="no image of the validation part"):
        measure_quality(threshold, str(masks), "validation")


def test_what_cannot_be_compared_is_left_out_with_the_reason(plane: str, tmp_path: Path) -> None:
    folder = noisy_pairs(tmp_path / "d")
    tifffile.imwrite(folder / "GT" / "f0.tif", np.zeros((20, 20), np.float32))
    tifffile.imwrite(folder / "GT" / "f1.tif", np.full((96, 80), 7, np.float32))
    tifffile.imwrite(folder / "low" / "alone.tif", np.zeros((20, 20), np.float32))
    found = measure_quality(plane, str(folder), "all")
    assert [row.id for row in found.rows] == ["f2"]
    reasons = {one.id: one.reason for one in found.left_out}
    assert "shapes (96, 80) and (20, 20)" in reasons["f0"]
    assert reasons["f1"] == "its target is blank"
    assert reasons["alone"] == "only in low/"
    (folder / "low" / "f2.tif").unlink()
    with pytest.raises(FileError, match=r"could be measured; .*: "):
        measure_quality(plane, str(folder), "all")


def test_real_nuclei(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("stardist")
    names = ("02903040e19d", "003cee89357d")
    for part in ("images", "masks"):
        (tmp_path / "dsb2018" / part).mkdir(parents=True)
        for name in names:
            path = shared_data / "dsb2018" / part / f"{name}.tif"
            (tmp_path / "dsb2018" / part / path.name).write_bytes(path.read_bytes())
    found = measure_quality("nuclei-stardist-2d", str(tmp_path / "dsb2018"))
    assert found.dataset == "dsb2018"
    assert found.part == "test"
    assert found.summary["by_iou"][0]["average_precision"] > 0.6
