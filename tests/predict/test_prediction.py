"""The one call: any axes and type in, the same axes and pixel size out, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopezoo.errors import FileError, IncompatibleImageError, ScopezooError, UsageError
from scopezoo.formats import create_image, open_image
from scopezoo.image import Image
from scopezoo.predict.engine import Engine
from scopezoo.predict.prediction import predict
from scopezoo.result import Extras
from scopezoo.store import open_package
from tests import small_models as small

SIZES = {"T": 2, "C": 1, "Z": 3, "Y": 26, "X": 31}


def test_axes_of_any_order_and_type_come_back(plane_model: Path) -> None:
    engine = Engine(open_package(plane_model))

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(
        st.sets(st.sampled_from("TCZ")).flatmap(
            lambda more: st.permutations([*sorted(more), "Y", "X"])
        ),
        st.sampled_from(["uint8", "uint16", "int16", "int32", "float32", "float64", ">u2"]),
    )
    def check(order: list[str], dtype: str) -> None:
        axes = "".join(order)
        rng = np.random.default_rng(0)
        pixels = (100 * rng.random([SIZES[axis] for axis in axes])).astype(dtype)
        result = predict(engine, Image(pixels, axes, {"Y": 0.5, "X": 0.5})).images["out"]
        assert result.axes == axes
        assert result.shape == pixels.shape
        assert result.pixel_size_um == {"Y": 0.5, "X": 0.5}
        planes = np.moveaxis(pixels, [axes.index("Y"), axes.index("X")], [-2, -1])
        results = np.moveaxis(np.asarray(result.data), [axes.index("Y"), axes.index("X")], [-2, -1])
        index = (0,) * (planes.ndim - 2)
        expected = engine.predict_sample({"raw": planes[index][None, None].astype(np.float32)})
        np.testing.assert_array_equal(results[index], expected["out"][0, 0])

    check()


def test_a_channel_is_picked_by_name_or_number(plane_model: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 20, 22)).astype(np.float32)
    image = Image(pixels, "CYX", channel_names=("DAPI", "GFP", "RFP"))
    by_name = predict(plane_model, image, channel="GFP").images["out"]
    by_number = predict(plane_model, image, channel="1").images["out"]
    alone = predict(plane_model, pixels[1]).images["out"]
    np.testing.assert_array_equal(by_name.data, by_number.data)
    np.testing.assert_array_equal(np.squeeze(by_name.data), alone.data)
    assert by_name.axes == "CYX"
    assert by_name.channel_names == ("GFP",)
    for wrong in (None, "Cy5", "3", "0,1"):
        with pytest.raises(IncompatibleImageError):
            predict(plane_model, image, channel=wrong)


def test_a_volume_model_refuses_a_plane(volume_model: Path) -> None:
    with pytest.raises(IncompatibleImageError, match="plane"):
        predict(volume_model, np.zeros((30, 30), np.float32))


def test_more_channels_out_come_before_the_plane(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    rdf["outputs"][0]["axes"][1] = small.channels("inside", "border")
    model = small.write_package(tmp_path, rdf, small.encoder_decoder(2, channels_out=2))
    result = predict(model, Image(np.zeros((4, 20, 24), np.uint8), "ZYX")).images["out"]
    assert result.axes == "ZCYX"
    assert result.shape == (4, 2, 20, 24)
    assert result.channel_names == ("inside", "border")


@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".ome.zarr", ".npy"])
def test_files_have_what_memory_has(plane_model: Path, tmp_path: Path, ending: str) -> None:
    pixels = np.random.default_rng(0).random((2, 50, 60)).astype(np.float32)
    source = tmp_path / "in.tif"
    writer = create_image(
        source,
        shape=pixels.shape,
        dtype=pixels.dtype,
        axes="ZYX",
        pixel_size_um={"Y": 0.2, "X": 0.2},
    )
    writer[(slice(None),) * 3] = pixels
    writer.close()
    result = predict(plane_model, source, tmp_path / f"out{ending}", tile={"y": 32, "x": 32})
    axes = "ZYX" if ending == ".npy" else None
    written = open_image(tmp_path / f"out{ending}", axes=axes)
    expected = predict(plane_model, source).images["out"]
    assert written.axes == "ZYX"
    np.testing.assert_allclose(written.read(), expected.data, atol=1e-5)
    if ending != ".npy":
        assert written.pixel_size_um == pytest.approx({"Y": 0.2, "X": 0.2})
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["model"]["weights_sha256"]
    assert record["tiling"]["tiles_per_sample"] > 1
    assert record["tiling"]["halo_px"]["used"]["y"] > 0
    assert record["inputs"]["raw"]["sha256"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(["in.tif", "out.json", f"out{ending}"])
    assert [path.name for path in result.files] == [f"out{ending}", "out.json"]


@pytest.mark.parametrize("ending", [".tif", ".ome.zarr"])
def test_labels_table_rois_and_preview(label_model: Path, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("stardist")
    pixels = (3 * np.random.default_rng(1).normal(size=(2, 70, 80))).astype(np.float32)
    image = Image(pixels, "TYX", {"Y": 0.5, "X": 0.5})
    result = predict(
        label_model, image, tmp_path / f"cells{ending}", extras=Extras(True, True, True)
    )
    labels = result.images["out"]
    found = labels.read()
    assert found.dtype == np.uint16
    assert labels.axes == "TYX"
    np.testing.assert_array_equal(np.unique(found), np.arange(found.max() + 1))
    assert not set(np.unique(found[0])) & set(np.unique(found[1])) - {0}
    rows = (tmp_path / "cells.csv").read_text().splitlines()
    assert len(rows) - 1 == found.max()
    assert "area_um2" in rows[0]
    for name in ("cells.rois.zip", "cells.preview.png", "cells.json"):
        assert (tmp_path / name).stat().st_size > 0
    if ending == ".ome.zarr":
        assert (tmp_path / "cells.ome.zarr" / "labels" / "out").is_dir()


def test_a_table_needs_labels(plane_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="labels"):
        predict(plane_model, np.zeros((20, 20)), tmp_path / "a.tif", extras=Extras(table=True))
    assert not list(tmp_path.iterdir())


def test_results_are_not_replaced_unasked(plane_model: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    predict(plane_model, pixels, tmp_path / "a.ome.zarr")
    with pytest.raises(FileError, match="--overwrite"):
        predict(plane_model, pixels, tmp_path / "a.ome.zarr")
    predict(plane_model, 2 * pixels, tmp_path / "a.ome.zarr", overwrite=True)
    again = predict(plane_model, 2 * pixels).images["out"]
    np.testing.assert_array_equal(open_image(tmp_path / "a.ome.zarr").read(), again.data)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.ome.zarr"]


class _StopError(Exception):
    """Stands for Ctrl-C, a kill, a power cut: whatever ends a run in its middle."""


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 30), st.sampled_from([".tif", ".ome.zarr"]), st.booleans())
def test_a_stopped_run_goes_on_to_the_same_bytes(
    label_model: Path,
    plane_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
    stop_after: int,
    ending: str,
    labels: bool,
) -> None:
    pytest.importorskip("stardist")
    folder = tmp_path_factory.mktemp("stopped")
    model = label_model if labels else plane_model
    source = folder / "in.tif"
    writer = create_image(source, shape=(2, 100, 110), dtype=np.float32, axes="ZYX")
    writer[(slice(None),) * 3] = 3 * np.random.default_rng(0).normal(size=(2, 100, 110))
    writer.close()

    def run(name: str, **options: Any) -> None:
        predict(model, source, folder / name / f"out{ending}", tile={"y": 40, "x": 40}, **options)

    def stop(done: int, _: int) -> None:
        if done >= stop_after:
            raise _StopError

    run("whole")
    try:
        run("cut", progress=stop)
    except _StopError:
        assert not (folder / "cut" / f"out{ending}").exists()
        with pytest.raises(UsageError, match="another"):
            predict(model, source, folder / "cut" / f"out{ending}", tile={"y": 60}, resume=True)
        run("cut", resume=True)
    assert contents(folder / "cut") == contents(folder / "whole")


@pytest.mark.parametrize("stop_after", [1, 5])
def test_a_stopped_picture_goes_on_with_the_tiles_it_has(tmp_path: Path, stop_after: int) -> None:
    steps = [{"id": "scale_linear", "kwargs": {"gain": 100}}]
    steps += [{"id": "clip", "kwargs": {"min": 0, "max": 255}}]
    steps += [{"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}]
    rdf = small.image_model(2, postprocessing=steps, data={"type": "uint8"})
    model = small.write_package(tmp_path / "model", rdf, small.encoder_decoder(2))
    pixels = np.random.default_rng(0).normal(size=(100, 110)).astype(np.float32)
    np.save(tmp_path / "in.npy", pixels)

    def run(name: str, **options: Any) -> None:
        source = tmp_path / "in.npy"
        predict(model, source, tmp_path / name / "out.png", tile={"y": 40, "x": 40}, **options)

    def stop(done: int, _: int) -> None:
        if done >= stop_after:
            raise _StopError

    run("whole")
    with pytest.raises(_StopError):
        run("cut", progress=stop)
    run("cut", resume=True)
    whole = open_image(tmp_path / "whole" / "out.png").read()
    assert (whole[:20, :20] > 0).any()
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of all files but the record."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if (path.is_file() and path.suffix != ".json") or path.name == "zarr.json"
    }


def test_a_finished_run_is_not_repeated(plane_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.npy"
    np.save(source, np.zeros((30, 30), np.float32))
    predict(plane_model, source, tmp_path / "out.tif")
    before = (tmp_path / "out.tif").stat().st_mtime_ns
    predict(plane_model, source, tmp_path / "out.tif", resume=True)
    assert (tmp_path / "out.tif").stat().st_mtime_ns == before


def test_a_run_stopped_while_it_publishes_loses_nothing(
    plane_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    source = tmp_path / "in.npy"
    np.save(source, np.random.default_rng(0).random((60, 70)).astype(np.float32))
    expected = predict(plane_model, source).images["out"].read()

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            predict(plane_model, source, tmp_path / "out.tif", tile={"y": 32, "x": 32})
    resumed = predict(
        plane_model, source, tmp_path / "out.tif", tile={"y": 32, "x": 32}, resume=True
    )
    np.testing.assert_allclose(resumed.images["out"].read(), expected, atol=1e-5)


def test_resume_is_no_overwrite(plane_model: Path, label_model: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    source = tmp_path / "raw.npy"
    np.save(source, pixels)
    for options in ({"resume": True}, {"overwrite": True}, {}):
        with pytest.raises(ScopezooError, match="input itself"):
            predict(plane_model, source, source, **options)
    np.testing.assert_array_equal(np.load(source), pixels)
    (tmp_path / "out.json").write_text("{}")
    with pytest.raises(FileError, match="--overwrite"):
        predict(plane_model, source, tmp_path / "out.tif")
    with pytest.raises(FileError, match="record"):
        predict(plane_model, source, tmp_path / "out.tif", resume=True)
    predict(plane_model, source, tmp_path / "out.tif", overwrite=True)
    with pytest.raises(UsageError, match="another model"):
        predict(label_model, source, tmp_path / "out.tif", resume=True)


def test_a_broken_work_folder_is_no_obstacle(plane_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.npy"
    np.save(source, np.zeros((30, 30), np.float32))
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "started_with.json").write_text("")
    predict(plane_model, source, tmp_path / "out.tif", resume=True)
    assert not (tmp_path / ".out.partial").exists()


@pytest.mark.parametrize("name", ["out.jpg", "out", "out.ome"])
def test_an_ending_that_cannot_be_written_is_said_at_once(
    plane_model: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="ending"):
        predict(plane_model, np.zeros((30, 30), np.float32), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_rescale_runs_at_the_pixel_size_of_the_model(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    for axis in (*rdf["inputs"][0]["axes"][2:], *rdf["outputs"][0]["axes"][2:]):
        axis |= {"scale": 0.5, "unit": "micrometer"}
    model = small.write_package(tmp_path / "model", rdf, small.encoder_decoder(2))
    y, x = np.mgrid[:80, :90]
    smooth = (np.sin(y / 9) + np.cos(x / 11)).astype(np.float32)
    fine = Image(smooth, "YX", {"Y": 0.25, "X": 0.25})
    plain = predict(model, fine)
    assert any("--rescale" in warning for warning in plain.warnings)
    scaled = predict(model, fine, tmp_path / "out.tif", rescale=True)
    assert scaled.images["out"].shape == fine.shape
    assert scaled.images["out"].pixel_size_um == pytest.approx({"Y": 0.25, "X": 0.25})
    assert not scaled.warnings
    named_after_the_output = predict(model, fine, tmp_path / "out2" / "out.npy", rescale=True)
    np.testing.assert_array_equal(
        named_after_the_output.images["out"].read(), scaled.images["out"].read()
    )
    coarse = Image(smooth[::2, ::2] / 2 + smooth[1::2, 1::2] / 2, "YX", {"Y": 0.5, "X": 0.5})
    expected = np.asarray(predict(model, coarse).images["out"].data)
    inside = (slice(10, -10),) * 2
    found = scaled.images["out"].read().reshape(40, 2, 45, 2).mean(axis=(1, 3))
    assert np.abs(found - expected)[inside].max() < 0.1 * np.abs(expected).max()
    with pytest.raises(UsageError, match="pixel sizes"):
        predict(model, smooth, rescale=True)


def test_rescaled_labels_are_drawn_on_the_grid_of_the_image(tmp_path: Path) -> None:
    pytest.importorskip("stardist")
    rdf = small.label_model()
    for axis in (*rdf["inputs"][0]["axes"][2:], *rdf["outputs"][0]["axes"][1:3]):
        axis |= {"scale": 0.5, "unit": "micrometer"}
    model = small.write_package(tmp_path / "model", rdf, small.stardist_network())
    coarse = (3 * np.random.default_rng(0).normal(size=(60, 70))).astype(np.float32)
    fine = Image(np.kron(coarse, np.ones((2, 2), np.float32)), "YX", {"Y": 0.25, "X": 0.25})
    labels = predict(model, fine, tmp_path / "out.ome.zarr", rescale=True).images["out"]
    assert labels.shape == fine.shape
    found = labels.read()
    expected = predict(model, Image(coarse, "YX", {"Y": 0.5, "X": 0.5})).images["out"].read()
    np.testing.assert_array_equal(np.unique(found), np.arange(found.max() + 1))
    assert abs(int(found.max()) - int(expected.max())) <= 0.1 * expected.max()
    overlap = (found[::2, ::2] > 0) == (expected > 0)
    assert overlap.mean() > 0.9


@pytest.mark.parametrize("content", [b"", b"II*\0", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_broken_images_are_one_clear_error(
    plane_model: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bad.tif").write_bytes(content)
    with pytest.raises(ScopezooError, match=r"bad\.tif"):
        predict(plane_model, tmp_path / "bad.tif", tmp_path / "out.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tif"]
