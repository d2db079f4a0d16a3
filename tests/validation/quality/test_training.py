"""Learning what training images look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopezoo.datasets.split import Split, SplitEntry
from scopezoo.errors import UsageError
from scopezoo.predict.appearance import FIGURES
from scopezoo.validation.quality.training import learn, left_out_distances
from tests.predict.test_appearance import scene
from tests.validation.quality.subjects import nuclei, threshold_model


def scenes(folder: Path, count: int = 12) -> Path:
    entries = {}
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for seed in range(count):
        pixels = (1000 * (scene(seed, size=128) + 1)).astype("uint16")
        tifffile.imwrite(folder / "images" / f"{seed}.tif", pixels)
        tifffile.imwrite(folder / "masks" / f"{seed}.tif", np.zeros((128, 128), "uint16"))
        part = "validation" if seed % 4 == 3 else "training"
        entries[str(seed)] = SplitEntry(part=part, group=seed // 2, stratum="s")  # type: ignore[arg-type]
    Split(dataset="scenes", seed=0, images=entries).write(folder / "split.json")
    return folder


def test_the_file_holds_training_images_alone(tmp_path: Path) -> None:
    model = str(threshold_model(tmp_path / "m"))
    found = learn(model, str(scenes(tmp_path / "d")))
    assert found["dataset"] == "scenes"
    assert np.shape(found["images"]) == (9, len(FIGURES))
    assert found["warned"]["validation"].endswith(" of 3")
    assert found == learn(model, str(tmp_path / "d"))


def test_too_few_fields_are_told(tmp_path: Path) -> None:
    folder = nuclei(tmp_path / "d")
    split = (folder / "split.json").read_text(encoding="utf-8")
    (folder / "split.json").write_text(split.replace('"test"', '"validation"'), encoding="utf-8")
    with pytest.raises(UsageError, match="of 1 specimens; at least 4"):
        learn(str(threshold_model(tmp_path / "m")), str(folder))


def test_an_image_is_not_compared_with_its_own_group() -> None:
    figures = np.repeat(np.arange(5.0), 4)[:, None] * np.ones(len(FIGURES))
    groups = np.repeat(list("abcde"), 4).tolist()
    spread = np.ones(len(FIGURES))
    assert (left_out_distances(figures, groups, spread) >= 1).all()
