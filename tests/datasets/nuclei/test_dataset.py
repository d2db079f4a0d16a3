"""The dataset on disk: the same bytes for the same seed, split by specimen."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from scopezoo.datasets.nuclei import read_nuclei_config, simulate_nuclei_dataset
from scopezoo.datasets.nuclei.dataset import split_of
from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import read_split
from scopezoo.errors import FileError, ImageError
from scopezoo.formats import open_image
from tests.cli.dataset_call import call
from tests.datasets.nuclei.small import CONFIG, CONFOCAL

COLLECTION = Path(__file__).parents[3] / "collection" / "datasets" / "nuclei-3d-simulated"


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nuclei") / "data"
    simulate_nuclei_dataset(CONFIG, folder)
    return folder


def test_images_have_labels_and_voxel_sizes(dataset: Path) -> None:
    folder = SegmentationFolder(dataset, "ZYX")
    assert folder.ids() == ["check-01", "new-01", "tissue-01"]
    for key in folder.ids():
        image, labels = folder.image(key), folder.mask(key)
        assert image.shape == labels.shape == CONFOCAL.shape
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
        assert labels.max() > 2
        assert image[labels > 0].mean() > 1.2 * image[labels == 0].mean()
        for part in ("images", "masks"):
            found = open_image(dataset / part / f"{key}.tif").pixel_size_um
            assert found == pytest.approx({"Z": 0.8, "Y": 0.6, "X": 0.6})


def test_planes_are_not_taken_for_stacks(dataset: Path) -> None:
    with pytest.raises(ImageError, match="expected one plane, YX"):
        SegmentationFolder(dataset).image("new-01")


def test_a_stack_depends_on_seed_specimen_and_number_alone(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    config = CONFIG.model_copy(update={"specimens": CONFIG.specimens[:1], "stacks": 2})
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert call("simulate-nuclei", path, "-o", tmp_path / "again", "--quiet") == 0
    before, again = hashes(dataset), hashes(tmp_path / "again")
    for part in ("images", "masks"):
        assert again[f"{part}/tissue-01.tif"] == before[f"{part}/tissue-01.tif"]
        assert again[f"{part}/tissue-02.tif"] != before[f"{part}/tissue-01.tif"]
    assert call("simulate-nuclei", path, "-o", tmp_path / "other", "--seed", 7, "--quiet") == 0
    assert hashes(tmp_path / "other")["images/tissue-01.tif"] != before["images/tissue-01.tif"]


def test_the_split_is_by_specimen(dataset: Path) -> None:
    split = read_split(dataset / "split.json")
    assert split == split_of(CONFIG)
    assert split.ids("validation") == ["check-01"]
    assert read_nuclei_config(dataset / "simulation.yaml") == CONFIG


def test_the_collections_split_is_that_of_its_configuration() -> None:
    config = read_nuclei_config(COLLECTION / "simulation.yaml")
    assert read_split(COLLECTION / "split.json") == split_of(config)


def test_a_full_folder_is_left_alone(dataset: Path) -> None:
    before = hashes(dataset)
    with pytest.raises(FileError, match="is not empty; give a new folder"):
        simulate_nuclei_dataset(CONFIG, dataset)
    assert hashes(dataset) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"specimens": []}, "specimens"),
        ({"microscopes": {"other": CONFIG.model_dump(mode="json")["microscopes"]["confocal"]}}, ""),
        ({"stack": 2}, "stack"),
    ],
)
def test_a_wrong_configuration_is_named(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(CONFIG.model_dump(mode="json") | change))
    with pytest.raises(FileError, match=rf"wrong.yaml is not a configuration: {message}"):
        read_nuclei_config(path)


def test_a_missing_configuration_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is missing"):
        read_nuclei_config(tmp_path / "none.yaml")
