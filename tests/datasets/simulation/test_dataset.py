from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from scopezoo.cli.dataset import app
from scopezoo.datasets.paired.metadata import ImportMetadata, read_metadata
from scopezoo.datasets.simulation import PairConfig, read_config, simulate_dataset
from scopezoo.datasets.simulation.dataset import metadata
from scopezoo.errors import FileError
from scopezoo.formats import open_image
from tests.datasets.simulation.small import CONFOCAL, PAIR, WIDEFIELD


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "pairs"
    assert simulate_dataset(PAIR, folder) == ["vesicles_001", "mitochondria_001"]
    return folder


def test_it_lies_as_two_microscopes_would_leave_it(dataset: Path) -> None:
    for name in ("vesicles_001", "mitochondria_001"):
        source = open_image(dataset / "source" / f"{name}.ome.tif")
        target = open_image(dataset / "target" / f"{name}.ome.tif")
        assert (source.axes, source.shape) == ("ZYX", WIDEFIELD.shape)
        assert target.pixel_size_um == pytest.approx({"Z": 0.2, "Y": 0.1, "X": 0.1})
        assert target.dtype == np.uint16
        clean = open_image(dataset / "truth" / "target" / f"{name}.ome.tif")
        assert (clean.shape, clean.dtype) == (CONFOCAL.shape, np.float32)
        transform = json.loads((dataset / "truth" / f"{name}.transform.json").read_text())
        assert np.array(transform.pop("matrix")).shape == (4, 4)
        assert transform == {
            "axes": "zyx",
            "unit": "micrometer",
            "from": "source",
            "to": "target",
        }
        truth = json.loads((dataset / "truth" / f"{name}.json").read_text())
        assert len(truth["source_drift_um"]["planes"]) == WIDEFIELD.shape[0]
        assert np.load(dataset / "truth" / "emitters" / f"{name}.npy").shape[1] == 4


def test_the_metadata_is_what_an_import_asks_for(dataset: Path) -> None:
    about = read_metadata(dataset / "metadata.yaml")
    assert about.missing() == []
    assert not about.aligned
    assert about.target.voxel_size_um is not None
    assert about.target.voxel_size_um.z == 0.2
    assert about.source.numerical_aperture == 1.3
    assert about.specimens["vesicles"].stain == "puncta"
    assert about.specimens["vesicles"].simulated
    assert ImportMetadata(**metadata(read_config("low-high-signal"))).aligned


def test_the_configuration_beside_it_makes_it_again(dataset: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    simulate_dataset(read_config(dataset / "truth" / "config.yaml"), again)
    assert _hashes(again) == _hashes(dataset)


def test_a_field_does_not_depend_on_the_others(dataset: Path, tmp_path: Path) -> None:
    more = PAIR.model_copy(update={"fields": 2, "specimens": PAIR.specimens[::-1]})
    simulate_dataset(more, tmp_path / "more")
    found, before = _hashes(tmp_path / "more"), _hashes(dataset)
    images = [name for name in before if name.endswith((".tif", ".npy", ".transform.json"))]
    assert images
    assert all(found[name] == before[name] for name in images)
    assert found["source/vesicles_002.ome.tif"] != found["source/vesicles_001.ome.tif"]


def test_a_full_folder_is_left_alone(dataset: Path) -> None:
    before = _hashes(dataset)
    with pytest.raises(FileError, match="is not empty; give a new folder"):
        simulate_dataset(PAIR, dataset)
    assert _hashes(dataset) == before


def test_the_command_writes_a_series_without_target(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    config: PairConfig = PAIR.model_copy(
        update={"target": None, "frames": 2, "specimens": PAIR.specimens[:1]}
    )
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    folder = tmp_path / "series"
    options = ["-o", str(folder), "--fields", "2", "--seed", "5", "--small", "--quiet"]
    result = CliRunner().invoke(app, ["simulate", str(path), *options])
    assert result.exit_code == 0, result.output
    series = open_image(folder / "source" / "vesicles_002.ome.tif")
    assert (series.axes, series.shape) == ("TZYX", (2, *WIDEFIELD.shape))
    assert not (folder / "target").exists()
    assert yaml.safe_load((folder / "truth" / "config.yaml").read_text())["seed"] == 5
