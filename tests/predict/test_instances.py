"""Objects from probabilities of insides and borders."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import find_boundaries

from scopezoo.datasets import simulate_nuclei
from scopezoo.errors import IncompatibleImageError, PackageError, UsageError
from scopezoo.formats import open_image
from scopezoo.image import Image
from scopezoo.predict import instances
from scopezoo.predict.instances import InstanceSettings, find_instances, instance_settings
from scopezoo.predict.prediction import predict
from scopezoo.result import Extras
from scopezoo.store import resolve
from tests import small_models as small

SETTINGS = InstanceSettings("inside", "border", 0.5, 0.5, 4)
SAID: dict[str, Any] = {
    "inside": "inside",
    "border": "border",
    "inside_threshold": 0.36,
    "mask_threshold": 0.6,
    "smallest_px": 3,
}


def border_model(folder: Path, **said: Any) -> Path:
    """A network with random probabilities of three classes, and how they become objects."""
    names = ("background", "inside", "border")
    rdf = small.image_model(
        axes=[{"type": "batch"}, small.channels(*names), small.follows("y"), small.follows("x")],
        postprocessing=[{"id": "softmax", "kwargs": {"axis": "channel"}}],
    )
    rdf["config"] = {"scopezoo": {"instances": {**SAID, **said}}}
    return small.write_package(folder, rdf, small.encoder_decoder(channels_out=3))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return border_model(tmp_path_factory.mktemp("borders"))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_perfect_classes_give_the_objects_back(seed: int) -> None:
    _, labels = simulate_nuclei((96, 80), seed, nuclei=25)
    edges = find_boundaries(labels, mode="inner")
    inside = (labels > 0) & ~edges
    found = find_instances(inside.astype(np.float32), edges.astype(np.float32), SETTINGS)
    kept = [one for one in np.unique(labels)[1:] if (inside & (labels == one)).sum() >= 30]
    assert kept
    for one in kept:
        own = found[labels == one]
        inner = found[inside & (labels == one)]
        assert np.bincount(own).max() >= 0.8 * own.size
        assert (inner > 0).all()
    assert not found[labels == 0].any()
    assert np.array_equal(np.unique(found), np.arange(found.max() + 1))


def test_specks_are_no_objects_and_seeds_keep_to_the_mask() -> None:
    inside = np.zeros((20, 20), np.float32)
    inside[2:4, 2] = 1  # two pixels
    inside[10:14, 10:14] = 0.9
    border = np.zeros_like(inside)
    border[9:15, 9:15] = np.where(inside[9:15, 9:15] > 0, 0, 0.6)
    found = find_instances(inside, border, SETTINGS)
    assert set(np.unique(found)) == {0, 1}
    assert np.array_equal(found > 0, (inside == np.float32(0.9)) | (border > 0))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"inside": "middle"}, "inside is 'middle', expected one of the channels background"),
        ({"border": None}, "border is 'None'"),
        ({"inside_threshold": 2}, "inside_threshold is '2', expected a number from 0 to 1"),
        ({"mask_threshold": "high"}, "mask_threshold is 'high'"),
        ({"inside_threshold": float("nan")}, "inside_threshold is 'nan'"),
        ({"smallest_px": 0}, "smallest_px is '0'"),
        ({"smallest_px": True}, "smallest_px is 'True'"),
        ({"smallest_px": 10**12}, "smallest_px"),
    ],
)
def test_wrong_settings_are_told(tmp_path: Path, said: dict[str, Any], told: str) -> None:
    package = resolve(str(border_model(tmp_path, **said)))
    with pytest.raises(PackageError, match=told):
        instance_settings(package.description)


def test_labels_are_those_of_the_probabilities(model: Path) -> None:
    result = predict(model, Image(noise(70, 51), "YX", {"Y": 0.5, "X": 0.5}), instances=True)
    _, inside, border = np.asarray(result.images["out"].data)
    labels = result.images["labels"]
    own = InstanceSettings(**SAID)
    assert np.array_equal(labels.data, find_instances(inside, border, own))
    assert (labels.axes, labels.dtype, labels.pixel_size_um) == (
        "YX",
        "uint16",
        {"Y": 0.5, "X": 0.5},
    )
    assert labels.read().max() > 5
    assert result.record["instances"] == SAID


def test_numbers_go_on_from_plane_to_plane(model: Path, tmp_path: Path) -> None:
    stack = np.stack([noise(40, 33), np.zeros((40, 33), np.float32), noise(40, 33)[::-1]])
    output = tmp_path / "cells.ome.tif"
    result = predict(
        model, Image(stack, "ZYX"), output, instances=True, extras=Extras(table=True, preview=True)
    )
    labels = open_image(tmp_path / "cells.labels.ome.tif").read()
    numbers = np.unique(labels[labels > 0])
    assert np.array_equal(numbers, np.arange(1, numbers.size + 1))
    assert labels[0].max() < labels[2][labels[2] > 0].min()
    rows = list(csv.DictReader((tmp_path / "cells.csv").open()))
    assert len(rows) == numbers.size
    assert result.images["out"].size("C") == 3
    assert (tmp_path / "cells.preview.png").exists()
    assert not list(tmp_path.glob("*.raw*"))


def test_many_objects_get_wide_numbers(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        instances, "find_instances", lambda *_: np.arange(90_000, dtype=np.int32).reshape(300, 300)
    )
    found = predict(model, Image(noise(300, 300), "YX"), instances=True).images["labels"]
    assert (found.dtype, found.read().max()) == ("uint32", 89_999)


def test_a_plane_beyond_memory_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "memory_bytes", lambda: 100_000)
    with pytest.raises(IncompatibleImageError, match="cut the image into parts"):
        predict(model, Image(noise(64, 64), "YX"), instances=True)


def test_models_that_say_nothing_are_refused(model: Path, tmp_path: Path) -> None:
    plain = small.write_package(tmp_path, small.image_model(), small.encoder_decoder())
    with pytest.raises(UsageError, match="does not say how its output becomes objects"):
        predict(plain, Image(noise(32, 32), "YX"), instances=True)
    with pytest.raises(UsageError, match="say --instances"):
        predict(model, Image(noise(32, 32), "YX"), tmp_path / "a.tif", extras=Extras(table=True))
