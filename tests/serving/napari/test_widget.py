"""The widget in a real viewer."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from scopezoo.datasets.simulate import simulate_nuclei
from scopezoo.predict import predict
from scopezoo.serving.napari.job import run_job
from tests.conftest import REPOSITORY
from tests.serving.napari.conftest import wait, wait_until
from tests.small_models import (
    BATCH,
    channels,
    encoder_decoder,
    follows,
    image_model,
    label_model,
    network,
    stardist_network,
    write_package,
)

pytest.importorskip("napari", reason="napari is not installed: scopezoo[napari]")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_package(tmp_path / "small", image_model(), encoder_decoder())


@pytest.fixture
def small_labels(tmp_path: Path) -> Path:
    return write_package(tmp_path / "small_labels", label_model(), stardist_network())


def run(widget: Any) -> None:
    """Press Run and wait for the end."""
    assert widget.bar.run.isEnabled()
    widget.bar.run.click()
    wait_until(lambda: not widget.runner.is_running)


def open_model(widget: Any, package: Path) -> None:
    widget.open_model(package)
    wait_until(lambda: widget.models.model() is not None)
    assert widget.models.model().package.location == package


def test_the_list_has_covers_and_answers_searches(widget: Any) -> None:
    from scopezoo.serving.napari.model_list import COVER

    items = [widget.models.items.item(row) for row in range(widget.models.items.count())]
    wait_until(lambda: all(item.data(COVER) is not None for item in items))
    assert widget.about.text() == widget.models.model().description
    widget.models.search.setText("WIDE-FIELD stacks")
    assert widget.models.model().id == "widefield-to-confocal-3d"
    widget.models.search.setText("stardist NUCLEI")
    assert widget.models.model().id == "nuclei-stardist-2d"
    widget.models.search.setText("nuclei zebra")
    assert widget.models.model() is None
    assert not widget.bar.run.isEnabled()


def test_labels_lie_on_the_layer_and_have_a_row_per_object(viewer: Any, widget: Any) -> None:
    pixels, _ = simulate_nuclei((128, 160), 1, nuclei=12)
    layer = viewer.add_image(
        pixels, name="cells", scale=(0.5, 0.25), translate=(3, -2), units=("um", "um"), rotate=20
    )
    run(widget)
    labels = viewer.layers[-1]
    found = predict("nuclei-stardist-2d", pixels).images["labels"].read()
    assert found.max() > 3
    np.testing.assert_array_equal(labels.data, found)
    assert type(labels).__name__ == "Labels"
    assert labels.name == "cells nuclei-stardist-2d"
    assert labels.units == layer.units
    corner = (127.0, 159.0)
    np.testing.assert_allclose(labels.data_to_world(corner), layer.data_to_world(corner))
    assert list(labels.features["index"]) == list(range(1, found.max() + 1))
    areas = np.bincount(found.ravel())[1:] * 0.125
    np.testing.assert_allclose(labels.features["area_um2"], areas)
    assert labels.metadata["scopezoo"]["model"]["id"] == "nuclei-stardist-2d"
    assert f"{found.max()} objects" in widget.bar.message.text()


def test_a_channel_of_a_time_series(viewer: Any, widget: Any, small: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((2, 3, 40, 50)).astype(np.float32)
    layer = viewer.add_image(pixels, name="movie", axis_labels=("t", "c", "y", "x"))
    open_model(widget, small)
    assert widget.inputs.axes.currentData() == "TCYX"
    widget.inputs.channel.setCurrentText("2")
    run(widget)
    result = viewer.layers[-1]
    expected = predict(small, pixels[:, 2], axes="TYX").images["out"].read()
    np.testing.assert_allclose(result.data[:, 0], expected, atol=1e-5)
    assert result.name == "movie small"
    np.testing.assert_allclose(
        result.data_to_world((1, 0, 5, 6)), layer.data_to_world((1, 2, 5, 6))
    )


def test_dimensions_are_asked_for_where_the_layer_does_not_tell(
    viewer: Any, widget: Any, small_labels: Path
) -> None:
    pixels = np.zeros((3, 40, 50), np.uint8)
    pixels[:, 10:20, 10:20] = 200
    open_model(widget, small_labels)
    viewer.add_image(pixels, name="stack")
    choice = widget.inputs.axes
    assert [choice.itemData(i) for i in range(choice.count())] == ["ZYX", "TYX", "CYX"]
    choice.setCurrentIndex(1)
    run(widget)
    assert set(viewer.layers[-1].features["t"]) == {0, 1, 2}


def test_a_lazy_layer_is_read_in_parts(viewer: Any, widget: Any, small: Path) -> None:
    import dask.array

    largest = 0
    lock = threading.Lock()
    whole = np.random.default_rng(1).random((1024, 1024)).astype(np.float32)

    class Stored:
        shape, dtype, ndim = whole.shape, whole.dtype, 2

        def __getitem__(self, region: Any) -> Any:
            nonlocal largest
            with lock:
                largest = max(largest, whole[region].size)
            return whole[region]

    lazy = dask.array.from_array(Stored(), chunks=(256, 256), meta=whole[:0, :0])
    viewer.add_image([lazy, lazy[::4, ::4]], multiscale=True, contrast_limits=(0, 1), name="big")
    open_model(widget, small)
    widget.options.tile.setValue(256)
    run(widget)
    assert largest <= 256 * 256
    expected = predict(small, whole).images["out"].read()
    np.testing.assert_allclose(viewer.layers[-1].data, expected, atol=1e-4)


def test_a_result_can_go_to_a_file(
    viewer: Any, widget: Any, small_labels: Path, tmp_path: Path
) -> None:
    import dask.array

    pixels = np.zeros((1200, 1100), np.uint8)
    pixels[50:60, 70:80] = 200
    viewer.add_image(pixels, name="plane")
    open_model(widget, small_labels)
    widget.options.output.setText(str(tmp_path / "out.ome.zarr"))
    run(widget)
    labels = viewer.layers[-1]
    assert labels.multiscale
    assert isinstance(labels.data[0], dask.array.Array)
    expected = predict(small_labels, pixels).images["out"].read()
    np.testing.assert_array_equal(np.asarray(labels.data[0]), expected)
    assert (tmp_path / "out.json").exists()
    run(widget)
    assert "give another name under Save to" in widget.bar.message.text()


def test_a_model_of_two_images_asks_for_two_layers(
    viewer: Any, widget: Any, tmp_path: Path
) -> None:
    add = helper.make_node("Sub", ["raw", "other"], ["out"])
    free = [1, 1, "y", "x"]
    network_bytes = network([add], [], {"raw": free, "other": free}, {"out": free})
    rdf = image_model()
    axes = [BATCH, channels("signal"), follows("y"), follows("x")]
    rdf["inputs"].append({"id": "other", "axes": axes})
    package = write_package(tmp_path / "two", rdf, network_bytes)
    pixels = np.random.default_rng(0).random((2, 30, 40)).astype(np.float32)
    for name, plane in zip("ab", pixels, strict=True):
        viewer.add_image(plane, name=name)
    open_model(widget, package)
    for name, choice in zip("ab", widget.inputs._choices.values(), strict=True):
        choice.setCurrentText(name)
    run(widget)
    np.testing.assert_allclose(viewer.layers[-1].data, pixels[0] - pixels[1], atol=1e-6)
    assert viewer.layers[-1].name == "a two"


def test_cancel_stops_between_tiles(
    viewer: Any, widget: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    real = run_job

    def slow_job(job: Any, progress: Any) -> Any:
        def slow(done: int, total: int) -> None:
            told.append(done)
            widget.runner.stop()
            progress(done, total)

        return real(job, slow)

    monkeypatch.setattr("scopezoo.serving.napari.runner.run_job", slow_job)
    viewer.add_image(np.random.default_rng(2).random((700, 700)), name="plane")
    open_model(widget, small)
    widget.options.tile.setValue(128)
    run(widget)
    assert told == [1]
    assert len(viewer.layers) == 1
    assert "Stopped" in widget.bar.message.text()
    assert widget.bar.run.isEnabled()


def test_errors_are_messages(viewer: Any, widget: Any, tmp_path: Path) -> None:
    viewer.add_image(np.full((300, 300), np.nan), name="empty")
    run(widget)
    assert "NaN" in widget.bar.message.text()
    assert len(viewer.layers) == 1
    widget.open_model(tmp_path)
    assert "not a package" in widget.bar.message.text()


def test_options_of_the_command_line_have_the_widgets_names(
    viewer: Any, widget: Any, tmp_path: Path
) -> None:
    package = write_package(tmp_path / "volume", image_model(3), encoder_decoder(3))
    viewer.add_image(np.zeros((40, 40)), name="plane")
    open_model(widget, package)
    run(widget)
    assert "under Dimensions" in widget.bar.message.text()
    assert "--" not in widget.bar.message.text()


def test_a_widget_can_be_closed_while_it_runs(viewer: Any, widget: Any, small: Path) -> None:
    viewer.add_image(np.random.default_rng(2).random((900, 900)), name="plane")
    open_model(widget, small)
    widget.options.tile.setValue(64)
    widget.bar.run.click()
    worker = widget.runner._worker
    viewer.window.remove_dock_widget(widget.parent())
    viewer.add_image(np.zeros((8, 8)))
    wait_until(lambda: not worker.is_running)
    wait(0.1)
    assert len(viewer.layers) == 2


def test_models_of_a_server(viewer: Any, widget: Any, address: str) -> None:
    widget.where.address.setText(address)
    widget.where.where.setCurrentIndex(1)
    wait_until(lambda: widget.models.items.count() == 2)
    widget.models.search.setText("small")
    rows = range(widget.models.items.count())
    widget.models.pick(next(i for i in rows if not widget.models.items.item(i).isHidden()))
    pixels = np.random.default_rng(3).random((60, 70)).astype(np.float32)
    viewer.add_image(pixels, name="plane", scale=(2, 2))
    run(widget)
    assert viewer.layers[-1].name == "plane small"
    np.testing.assert_allclose(viewer.layers[-1].scale, (2, 2))
    widget.where.address.setText("http://127.0.0.1:9")
    widget.where.connect_button.click()
    wait_until(lambda: "127.0.0.1:9" in widget.bar.message.text())


@pytest.mark.usefixtures("display")
def test_the_example_runs(tmp_path: Path) -> None:
    script = REPOSITORY / "examples" / "napari" / "run_a_model.py"
    picture = tmp_path / "nuclei.png"
    done = subprocess.run(
        [sys.executable, script, picture], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nuclei" in done.stdout
    assert picture.stat().st_size > 10_000
