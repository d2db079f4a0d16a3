"""`scopezoo dataset register` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scopezoo.cli.dataset import app
from scopezoo.cli.failures import run_guarded
from scopezoo.datasets.registration import read_transform
from scopezoo.formats import create_image, open_image
from scopezoo.image import Image
from tests.datasets.registration.rendered import SOURCE_PLANE, TARGET_PLANE, error_um, pair


def call(*words: object) -> int:
    return run_guarded(
        lambda: app(["register", *[str(word) for word in words]], standalone_mode=False)
    )


def written(path: Path, image: Image) -> Path:
    writer = create_image(path, shape=image.shape, dtype=image.dtype, axes=image.axes, like=image)
    writer[tuple(slice(None) for _ in image.shape)] = image.read()
    writer.close()
    return path


def test_two_files_give_transform_picture_and_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target, known = pair(8, SOURCE_PLANE, TARGET_PLANE)
    two = np.stack([np.zeros_like(source.read()), source.read()])
    moving = Image(two, "CYX", source.pixel_size_um, None, ("empty", "dna"))
    files = written(tmp_path / "s.ome.tif", moving), written(tmp_path / "t.ome.tif", target)
    json_file, image, png = tmp_path / "t.json", tmp_path / "moved.ome.zarr", tmp_path / "fit.png"
    outputs = ("-o", json_file, "--apply", image, "--picture", png)
    assert call(*files, *outputs) == 2
    assert "2 channels" in capsys.readouterr().err
    assert call(*files, *outputs, "--channel", "dna", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json_file.read_text())
    assert printed["quality"]["passed"]
    matrix, smooth = read_transform(json_file)
    assert smooth is None
    assert np.abs(error_um(matrix, known, SOURCE_PLANE)).max() < 0.02
    moved = open_image(image)
    assert (moved.size("Y"), moved.size("X")) == target.shape
    assert moved.pixel_size_um == pytest.approx({"Y": 0.1, "X": 0.1})
    assert png.read_bytes().startswith(b"\x89PNG")
    assert call(*files, *outputs, "--channel", "dna") == 1
    assert "already exists" in capsys.readouterr().err
    assert call(*files, *outputs, "--channel", "dna", "--overwrite", "--cubic") == 0


def test_a_pair_that_fails_leaves_the_reason_and_no_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target, _ = pair(8, SOURCE_PLANE, TARGET_PLANE)
    blank = Image(np.full(source.shape, 9, np.uint16), "YX")
    files = written(tmp_path / "s.tif", blank), written(tmp_path / "t.tif", target)
    outputs = ("-o", tmp_path / "t.json", "--apply", tmp_path / "moved.tif")
    assert call(*files, *outputs) == 2
    assert "no pixel size" in capsys.readouterr().err
    assert call(*files, *outputs, "--source-pixel-size", "0.16;0.16") == 2
    assert call(*files, *outputs, "--source-pixel-size", "0.16,0.16") == 1
    assert "the source is blank" in capsys.readouterr().err
    assert not json.loads((tmp_path / "t.json").read_text())["quality"]["passed"]
    assert not (tmp_path / "moved.tif").exists()
