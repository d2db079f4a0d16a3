"""What the reader opens, and how napari shows it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from scopezoo.errors import PackageError
from scopezoo.formats import create_image, open_image
from scopezoo.image import Image
from scopezoo.predict import predict
from scopezoo.serving.napari.pixels import image_layers
from scopezoo.serving.napari.reader import reader_of
from scopezoo.store import resolve
from tests.serving.napari.conftest import register_plugin
from tests.small_models import (
    encoder_decoder,
    image_model,
    label_model,
    stardist_network,
    write_package,
)


def read(path: Path) -> list[Any]:
    reader = reader_of(str(path))
    assert reader is not None
    return reader(str(path))


def test_a_tiff_has_its_axes_channels_and_pixel_size(viewer: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (2, 3, 20, 30)).astype(np.uint16)
    path = tmp_path / "stack.ome.tif"
    meta = {
        "axes": "ZCYX",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeY": 0.25,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": ["DAPI", "GFP", "RFP"]},
    }
    tifffile.imwrite(path, pixels, metadata=meta, ome=True)
    layers = viewer.open(path, plugin="scopezoo")
    assert [layer.name for layer in layers] == ["stack DAPI", "stack GFP", "stack RFP"]
    np.testing.assert_array_equal(layers[1].data, pixels[:, 1])
    assert tuple(layers[0].scale) == (1, 0.25, 0.25)
    assert [str(unit) for unit in layers[0].units] == ["pixel", "micrometer", "micrometer"]
    assert layers[0].axis_labels == ("z", "y", "x")


def test_labels_of_an_ome_zarr_open_as_labels(viewer: Any, tmp_path: Path) -> None:
    """Results of labels alone, and labels beside an image."""
    package = write_package(tmp_path / "model", label_model(), stardist_network())
    pixels = np.zeros((70, 80), np.uint8)
    pixels[20:40, 30:50] = 200
    store = tmp_path / "cells.ome.zarr"
    image = Image(pixels, "YX", {"Y": 0.5, "X": 0.5})
    expected = predict(package, image, store).images["out"].read()
    (labels,) = viewer.open(store, plugin="scopezoo")
    assert type(labels).__name__ == "Labels"
    assert labels.name == "cells out"
    np.testing.assert_array_equal(labels.data, expected)
    assert tuple(labels.scale) == (0.5, 0.5)
    both = tmp_path / "both.ome.zarr"
    for name in (None, "nuclei"):
        writer = create_image(
            both, shape=(70, 80), dtype=np.dtype(np.uint8), axes="YX", labels=name
        )
        writer[slice(0, 70), slice(0, 80)] = pixels
        writer.close()
    kinds = [(layer.name, type(layer).__name__) for layer in viewer.open(both, plugin="scopezoo")]
    assert kinds == [("both", "Image"), ("both nuclei", "Labels")]
    (alone,) = viewer.open(both / "labels" / "nuclei", plugin="scopezoo")
    assert type(alone).__name__ == "Labels"


def test_large_images_are_lazy_pyramids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask", reason="dask comes with napari: scopezoo[napari]")
    monkeypatch.setattr("scopezoo.serving.napari.pixels.LOADED_BYTES", 1000)
    store = tmp_path / "large.ome.zarr"
    pixels = np.random.default_rng(0).integers(0, 255, (1300, 1200)).astype(np.uint8)
    writer = create_image(store, shape=pixels.shape, dtype=pixels.dtype, axes="YX")
    writer[slice(0, 1300), slice(0, 1200)] = pixels
    writer.close()
    ((levels, settings, kind),) = read(store)
    assert kind == "image"
    assert settings["multiscale"]
    assert len(levels) > 1
    np.testing.assert_array_equal(np.asarray(levels[0][100:200, 7]), pixels[100:200, 7])


def test_a_package_opens_what_it_was_tested_on() -> None:
    layers = read(resolve("nuclei-stardist-2d").location)
    assert [kind for _, _, kind in layers] == ["image", "labels"]
    assert layers[0][0].shape == layers[1][0].shape
    rdf = resolve("nuclei-stardist-2d").location / "rdf.yaml"
    assert len(read(rdf)) == 2


def test_test_tensors_open_without_batch_and_channel(tmp_path: Path) -> None:
    rdf = image_model()
    rdf["inputs"][0]["test_tensor"] = {"source": "in.npy"}
    folder = write_package(tmp_path / "model", rdf, encoder_decoder())
    pixels = np.random.default_rng(0).random((1, 1, 12, 14)).astype(np.float32)
    np.save(folder / "in.npy", pixels)
    zipped = tmp_path / "model.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    ((found, settings, kind),) = read(zipped)
    np.testing.assert_array_equal(found, pixels[0, 0])
    assert (settings["name"], kind) == ("sample of model, raw", "image")


def test_a_package_without_images_says_so(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "model", image_model(), encoder_decoder())
    with pytest.raises(PackageError, match="neither sample images nor test tensors"):
        read(folder)


def test_what_is_no_image_is_left_to_others(tmp_path: Path) -> None:
    assert reader_of(str(tmp_path)) is None
    assert reader_of([str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]) is None


def test_a_colour_image_is_one_layer(tmp_path: Path) -> None:
    path = tmp_path / "colour.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb")
    ((found, settings, _),) = image_layers([open_image(path)], "colour")
    assert settings["rgb"]
    np.testing.assert_array_equal(found, pixels)


def test_samples_open(viewer: Any) -> None:
    for sample in register_plugin().get_manifest("scopezoo").contributions.sample_data:
        layers = viewer.open_sample("scopezoo", sample.key)
        assert layers
        assert layers[0].data.max() > 0
