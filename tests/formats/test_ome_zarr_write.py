from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05.image import Image as ValidImage
from ome_zarr_models.v05.image_label import ImageLabel
from ome_zarr_models.v05.labels import Labels
from zarr.storage import _local

from scopezoo.errors import FileError, UsageError
from scopezoo.formats import create_image, open_image

SIZES = {"Z": 0.3, "Y": 0.1, "X": 0.1}
NAMES = ("DAPI", "GFP")


def put(path: Path, values: np.ndarray, axes: str, **options: Any) -> Path:
    options.setdefault("pixel_size_um", SIZES)
    writer = create_image(path, shape=values.shape, dtype=values.dtype, axes=axes, **options)
    writer[(slice(None),) * values.ndim] = values
    writer.close()
    return path


def nodes(path: Path) -> dict[str, list[tuple[int, ...]]]:
    """What ome-zarr's own reader finds: the shapes of all levels, by the end of the path."""
    found = Reader(parse_url(str(path)))()
    return {
        str(node.zarr.basename()): [tuple(level.shape) for level in node.data]
        for node in found
        if node.data
    }


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5000, (2, 1300, 1100), np.uint16)


@pytest.fixture(scope="module")
def objects() -> np.ndarray:
    labels = np.zeros((1300, 1100), np.uint16)
    labels[100:300, 200:500] = 7
    labels[700:1200, 600:1000] = 300
    return labels


class TestImage:
    def test_is_valid_and_opens_elsewhere(self, tmp_path: Path, picture: np.ndarray) -> None:
        path = put(tmp_path / "a.ome.zarr", picture, "CYX", channel_names=NAMES)
        valid = ValidImage.from_zarr(zarr.open_group(str(path), mode="r"))
        multiscale = valid.ome_attributes.multiscales[0]
        assert [(axis.name, axis.type, axis.unit) for axis in multiscale.axes] == [
            ("c", "channel", None),
            ("y", "space", "micrometer"),
            ("x", "space", "micrometer"),
        ]
        assert nodes(path) == {"a.ome.zarr": [(2, 1300, 1100), (2, 650, 550), (2, 325, 275)]}

    def test_levels_are_means_at_their_place(self, tmp_path: Path, picture: np.ndarray) -> None:
        path = put(tmp_path / "a.ome.zarr", picture, "CYX", channel_names=NAMES)
        for level, step in ((1, 2), (2, 4)):
            image = open_image(path, level=level)
            assert dict(image.pixel_size_um) == pytest.approx({"Y": 0.1 * step, "X": 0.1 * step})
            blocks = picture.reshape(2, 1300 // step, step, 1100 // step, step)
            assert np.abs(image.read() - blocks.mean(axis=(2, 4))).max() <= 1
            ome: Any = zarr.open_group(str(path), mode="r").attrs["ome"]
            scale, shift = ome["multiscales"][0]["datasets"][level]["coordinateTransformations"]
            assert scale["scale"] == pytest.approx([1, 0.1 * step, 0.1 * step])
            assert shift["translation"] == pytest.approx([0, 0.05 * (step - 1), 0.05 * (step - 1)])

    def test_channels_and_contrast(self, tmp_path: Path, picture: np.ndarray) -> None:
        path = put(tmp_path / "a.ome.zarr", picture, "CYX", channel_names=NAMES)
        ome: Any = zarr.open_group(str(path), mode="r").attrs["ome"]
        channels = ome["omero"]["channels"]
        assert [channel["label"] for channel in channels] == list(NAMES)
        for channel in channels:
            window = channel["window"]
            assert window["min"] <= window["start"] < window["end"] <= window["max"]

    @pytest.mark.parametrize("fill", [np.nan, np.inf, 0.0])
    def test_contrast_of_what_has_none(self, tmp_path: Path, fill: float) -> None:
        path = put(tmp_path / "a.ome.zarr", np.full((20, 30), fill, np.float32), "YX")
        ValidImage.from_zarr(zarr.open_group(str(path), mode="r"))
        np.testing.assert_array_equal(open_image(path).read(), np.full((20, 30), fill))

    @pytest.mark.parametrize("axes", ["YX", "ZYX", "YXC", "ZCYX", "XYCT", "ZYXCT"])
    def test_axes_come_in_the_order_of_the_format(self, tmp_path: Path, axes: str) -> None:
        shape = {"T": 2, "C": 3, "Z": 4, "Y": 30, "X": 20}
        values = np.arange(np.prod([shape[axis] for axis in axes]), dtype=np.uint16)
        values = values.reshape([shape[axis] for axis in axes])
        path = put(tmp_path / "a.ome.zarr", values, axes, frame_interval_s=2.0)
        ValidImage.from_zarr(zarr.open_group(str(path), mode="r"))
        image = open_image(path)
        assert image.axes == "".join(axis for axis in "TCZYX" if axis in axes)
        order = [axes.index(axis) for axis in image.axes]
        np.testing.assert_array_equal(image.read(), values.transpose(order))

    def test_an_unknown_size_stays_unknown(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.zarr", np.ones((3, 600, 40)), "TYX", pixel_size_um={"X": 1.0})
        ValidImage.from_zarr(zarr.open_group(str(path), mode="r"))
        image = open_image(path)
        assert (dict(image.pixel_size_um), image.frame_interval_s) == ({"X": 1.0}, None)

    def test_chunks(self, tmp_path: Path) -> None:
        put(tmp_path / "a.zarr", np.zeros((2, 100, 300, 300), np.uint8), "CZYX")
        put(tmp_path / "b.zarr", np.zeros((2, 100, 300, 300), np.uint8), "CZYX", chunks={"Z": 1})
        put(tmp_path / "c.zarr", np.zeros((2, 900, 300), np.uint8), "TYX")
        found = [
            zarr.open_array(str(tmp_path / f"{name}.zarr" / "0"), mode="r").chunks for name in "abc"
        ]
        assert found == [(1, 64, 256, 256), (1, 1, 256, 256), (1, 512, 300)]


class TestLabels:
    @pytest.mark.parametrize("with_image", ["no image", "image first", "labels first"])
    def test_open_as_a_whole_and_alone(
        self, tmp_path: Path, picture: np.ndarray, objects: np.ndarray, with_image: str
    ) -> None:
        path = tmp_path / "a.ome.zarr"
        if with_image == "image first":
            put(path, picture, "CYX")
        put(path, objects, "YX", labels="nuclei")
        put(path, objects // 2, "YX", labels="cells")
        if with_image == "labels first":
            put(path, picture, "CYX")
        root = zarr.open_group(str(path), mode="r")
        ValidImage.from_zarr(root)
        Labels.from_zarr(zarr.open_group(str(path / "labels"), mode="r"))
        levels = [(1300, 1100), (650, 550), (325, 275)]
        for name in ("nuclei", "cells"):
            label: Any = zarr.open_group(str(path / "labels" / name), mode="r")
            ImageLabel.from_zarr(label)
            assert label.attrs["ome"]["image-label"] == {"source": {"image": "../../"}}
            assert nodes(path / "labels" / name)[name] == levels
        found = nodes(path)
        assert (found["nuclei"], found["cells"]) == (levels, levels)
        assert found["a.ome.zarr"][0] == (levels[0] if with_image == "no image" else picture.shape)
        np.testing.assert_array_equal(open_image(path / "labels" / "nuclei").read(), objects)
        shown = objects if with_image == "no image" else picture
        np.testing.assert_array_equal(open_image(path).read(), shown)

    def test_levels_hold_ids_never_means(self, tmp_path: Path, objects: np.ndarray) -> None:
        path = put(tmp_path / "a.zarr", objects, "YX", labels="nuclei")
        for level, step in ((1, 2), (2, 4)):
            image = open_image(path / "labels" / "nuclei", level=level)
            np.testing.assert_array_equal(image.read(), objects[::step, ::step])

    def test_a_name_is_taken_once(self, tmp_path: Path, objects: np.ndarray) -> None:
        path = put(tmp_path / "a.zarr", objects, "YX", labels="nuclei")
        with pytest.raises(FileError, match=r"a\.zarr/labels/nuclei already exists"):
            put(path, objects, "YX", labels="nuclei")

    @pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a\\b"])
    def test_names_that_are_no_names(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match="plain name"):
            create_image(tmp_path / "a.zarr", shape=(4, 4), dtype="u2", axes="YX", labels=name)
        assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").touch()
    with pytest.raises(FileError, match=r"a folder that is no OME-Zarr 0\.5"):
        create_image(tmp_path / "a.zarr", shape=(4, 4), dtype="u2", axes="YX")


def test_a_disk_that_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = create_image(tmp_path / "a.zarr", shape=(4, 4), dtype="u2", axes="YX")

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_local, "_put", full)
    with pytest.raises(FileError, match=r"a\.zarr cannot be written: the disk is full"):
        writer[slice(0, 4), slice(0, 4)] = np.ones((4, 4), np.uint16)
