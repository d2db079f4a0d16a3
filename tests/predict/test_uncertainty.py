"""Test-time augmentation: the spread is that of the whole image, whatever the tiles."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopezoo.errors import UsageError
from scopezoo.formats import create_image, open_image
from scopezoo.image import Image
from scopezoo.predict.prediction import predict
from tests import small_models as small
from tests.predict.test_prediction import contents


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def spread_of(model: Path, image: Any, **options: Any) -> np.ndarray:
    images = predict(model, image, uncertainty="tta", **options).images
    return np.asarray(images["out.uncertainty"].data)


def by_hand(
    model: Path, pixels: np.ndarray, step: int, quarter_turns: bool, channels_last: bool = False
) -> np.ndarray:
    """Outputs (view, C, Y, X) of the whole image, with nothing but numpy and onnxruntime."""
    session = onnxruntime.InferenceSession(model / "weights.onnx")
    height, width = pixels.shape
    legal = [max(8, -(-size // step) * step) for size in pixels.shape]
    whole = np.pad(
        pixels, [(0, n - m) for n, m in zip(legal, pixels.shape, strict=True)], "reflect"
    )
    found = []
    for turned, up, left in product((False, True) if quarter_turns else (False,), *[(1, -1)] * 2):
        seen = (whole.T if turned else whole)[::up, ::left]
        (raw,) = session.run(None, {"raw": np.ascontiguousarray(seen)[None, None]})
        back = (np.moveaxis(raw[0], -1, 0) if channels_last else raw[0])[:, ::up, ::left]
        found.append((back.swapaxes(1, 2) if turned else back)[:, :height, :width])
    return np.stack(found)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(8, 60), st.integers(8, 60), st.integers(24, 60), st.booleans())
def test_the_spread_is_that_of_the_whole_image(
    plane_model: Path, height: int, width: int, tile: int, square: bool
) -> None:
    pixels = noise(height, width)
    expected = by_hand(plane_model, pixels, 2, square).std(axis=0)[0]
    image = Image(pixels, "YX", {"Y": 0.5, "X": 0.5 if square else 0.2})
    assert expected.max() > 0.01
    np.testing.assert_allclose(spread_of(plane_model, image), expected, atol=1e-5)
    tiled = spread_of(plane_model, image, tile={"y": tile, "x": max(24, tile // 2)})
    np.testing.assert_allclose(tiled, expected, atol=1e-5)


def test_a_stack_is_not_mirrored_along_z(volume_model: Path) -> None:
    image = Image(noise(16, 24, 22), "ZYX")
    result = predict(volume_model, image, uncertainty="tta", tile={"z": 16, "y": 24, "x": 24})
    assert len(result.record["uncertainty"]["views"]) == 8
    assert not any("z" in view for view in result.record["uncertainty"]["views"])
    whole = spread_of(volume_model, image)
    tiled = spread_of(volume_model, Image(noise(16, 24, 60), "ZYX"), tile={"x": 40})
    again = spread_of(volume_model, Image(noise(16, 24, 60), "ZYX"))
    assert whole.shape == (16, 24, 22)
    np.testing.assert_allclose(tiled, again, atol=1e-5)


def test_a_network_that_turns_with_its_input_is_certain(tmp_path: Path) -> None:
    scale, scale_w = small.convolution("out", "raw", np.full((1, 1, 1, 1), 3.0))
    shapes = [1, 1, "y", "x"], [1, 1, "y_out", "x_out"]
    content = small.network(scale, scale_w, {"raw": shapes[0]}, {"out": shapes[1]})
    model = small.write_package(tmp_path, small.image_model(2), content)
    result = predict(
        model, noise(3, 40, 50), axes="ZYX", uncertainty="tta", tile={"y": 24, "x": 24}
    )
    assert len(result.record["uncertainty"]["views"]) == 8
    assert not result.images["out.uncertainty"].read().any()


def test_it_is_in_units_of_the_result(plane_model: Path, tmp_path: Path) -> None:
    steps = [{"id": "scale_linear", "kwargs": {"gain": 50, "offset": 7}}]
    rdf = small.image_model(2, postprocessing=steps)
    scaled = small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    pixels = noise(40, 40)
    np.testing.assert_allclose(
        spread_of(scaled, pixels), 50 * spread_of(plane_model, pixels), atol=1e-3
    )


@pytest.mark.parametrize("grid", [1, 2])
def test_of_labels_it_is_that_of_the_probability(
    label_model: Path, tmp_path: Path, grid: int
) -> None:
    pytest.importorskip("stardist")
    model = label_model if grid == 1 else coarse_label_model(tmp_path)
    pixels = 3 * noise(61, 70)
    result = predict(model, pixels, uncertainty="tta", tile={"y": 44, "x": 40})
    found = result.images["out.uncertainty"].read()
    assert found.shape == result.images["out"].shape == pixels.shape
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 0.5
    assert result.record["uncertainty"]["of"] == {"out": "probability of objects"}
    expected = by_hand(model, pixels, grid, True, channels_last=True).std(axis=0)[0]
    expected = expected.repeat(grid, 0).repeat(grid, 1)[:61, :70]
    assert grid == 1 or expected.max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


def coarse_label_model(folder: Path, described_px: float = 2.0) -> Path:
    """A StarDist network on a grid of 2 px, whose probability is lopsided.

    `described_px` is the pixel of its description: 1 of labels, 2 of cells.
    """
    rays = small.STARDIST_RAYS
    blur, blur_w = small.convolution("blur", "raw", small.random_weights(1, 1, 3, 3))
    pool = small.helper.make_node("MaxPool", ["blur"], ["p"], kernel_shape=[2, 2], strides=[2, 2])
    prob = small.helper.make_node("Sigmoid", ["p"], ["prob"])
    dist, dist_w = small.convolution("dist", "prob", np.full((rays, 1, 1, 1), 6.0))
    join = small.helper.make_node("Concat", ["prob", "dist"], ["cat"], axis=1)
    last = small.helper.make_node("Transpose", ["cat"], ["out"], perm=[0, 2, 3, 1])
    content = small.network(
        [*blur, pool, prob, *dist, join, last],
        [*blur_w, *dist_w],
        {"raw": [1, 1, "y", "x"]},
        {"out": [1, "y_out", "x_out", 1 + rays]},
    )
    rdf = small.label_model()
    rdf["inputs"][0]["axes"][2:] = [small.space("y"), small.space("x")]
    rdf["outputs"][0]["axes"][1:3] = [
        small.follows("y", scale=described_px),
        small.follows("x", scale=described_px),
    ]
    rdf["outputs"][0]["postprocessing"][0]["kwargs"]["grid"] = [2, 2]
    return small.write_package(folder, rdf, content)


@pytest.mark.parametrize("tile", [None, {"y": 44, "x": 40}])
def test_a_description_tells_the_size_of_labels_or_of_cells(
    tmp_path: Path, tile: dict[str, int] | None
) -> None:
    pytest.importorskip("stardist")
    pixels = 3 * noise(61, 70)
    labels, cells = (
        predict(coarse_label_model(tmp_path / str(px), px), pixels, tile=tile).images["out"].read()
        for px in (1.0, 2.0)
    )
    assert labels.max() > 3
    np.testing.assert_array_equal(labels, cells)


@pytest.mark.parametrize("ending", [".tif", ".ome.zarr"])
def test_the_result_is_what_it_is_without(
    plane_model: Path, label_model: Path, tmp_path: Path, ending: str
) -> None:
    pytest.importorskip("stardist")
    image = Image(3 * noise(2, 60, 66), "TYX", {"Y": 0.5, "X": 0.5})
    for name, model in (("plane", plane_model), ("label", label_model)):
        options: dict[str, Any] = {"tile": {"y": 40, "x": 40}}
        alone, both = tmp_path / name / "alone", tmp_path / name / "both"
        predict(model, image, alone / f"a{ending}", **options)
        predict(model, image, both / f"a{ending}", uncertainty="tta", **options)
        spread = {n for n in contents(both) if n.startswith(f"a.uncertainty{ending}")}
        assert spread
        kept = {n: content for n, content in contents(both).items() if n not in spread}
        assert kept == contents(alone)
        written = open_image(both / f"a.uncertainty{ending}")
        assert (written.axes, written.shape, written.dtype) == ("TYX", (2, 60, 66), np.float32)
        assert written.pixel_size_um == pytest.approx({"Y": 0.5, "X": 0.5})
        expected = predict(model, image, uncertainty="tta", **options).images["out.uncertainty"]
        np.testing.assert_array_equal(written.read(), expected.data)
        assert json.loads((both / "a.json").read_text())["uncertainty"]["method"] == "tta"


class _StopError(Exception):
    """Stands for whatever ends a run in its middle."""


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 40), st.booleans())
def test_a_stopped_run_goes_on_to_the_same_bytes(
    plane_model: Path,
    label_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
    stop_after: int,
    labels: bool,
) -> None:
    pytest.importorskip("stardist")
    folder = tmp_path_factory.mktemp("stopped")
    source = folder / "in.npy"
    np.save(source, 3 * noise(2, 60, 66))

    def run(name: str, **options: Any) -> None:
        model = label_model if labels else plane_model
        options |= {"axes": "TYX", "tile": {"y": 40, "x": 40}, "uncertainty": "tta"}
        predict(model, source, folder / name / "out.tif", **options)

    def stop(done: int, _: int) -> None:
        if done >= stop_after:
            raise _StopError

    run("whole")
    try:
        run("cut", progress=stop)
    except _StopError:
        assert [path.name for path in (folder / "cut").iterdir()] == [".out.partial"]
        with pytest.raises(UsageError, match="another"):
            predict(plane_model, source, folder / "cut" / "out.tif", axes="TYX", resume=True)
        run("cut", resume=True)
    assert contents(folder / "cut") == contents(folder / "whole")


def test_a_killed_process_goes_on_to_the_same_bytes(plane_model: Path, tmp_path: Path) -> None:
    pixels = noise(700, 700)
    source = tmp_path / "in.tif"
    writer = create_image(source, shape=pixels.shape, dtype=pixels.dtype, axes="YX")
    writer[(slice(None),) * 2] = pixels
    writer.close()
    options = [str(source), "--uncertainty", "tta", "--tile", "64", "--quiet"]
    command = [sys.executable, "-m", "scopezoo", "predict", str(plane_model), *options]
    cut, log = tmp_path / "cut.tif", tmp_path / ".cut.partial" / "tiles.log"
    process = subprocess.Popen([*command, "-o", str(cut)])
    try:
        while process.poll() is None and not (log.exists() and "\n1 " in log.read_text()):
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, "-o", str(cut), "--resume"], check=True)
    subprocess.run([*command, "-o", str(tmp_path / "whole.tif")], check=True)
    for ending in (".tif", ".uncertainty.tif"):
        whole = tmp_path / f"whole{ending}"
        assert (tmp_path / f"cut{ending}").read_bytes() == whole.read_bytes()


def test_at_the_scale_of_the_model(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    for axis in (*rdf["inputs"][0]["axes"][2:], *rdf["outputs"][0]["axes"][2:]):
        axis |= {"unit": "micrometer", "scale": 0.5}
    model = small.write_package(tmp_path / "model", rdf, small.encoder_decoder(2))
    image = Image(noise(40, 44), "YX", {"Y": 0.25, "X": 0.25})
    result = predict(model, image, tmp_path / "a.tif", rescale=True, uncertainty="tta")
    spread = result.images["out.uncertainty"]
    assert spread.shape == (40, 44)
    assert spread.pixel_size_um == pytest.approx({"Y": 0.25, "X": 0.25})
    assert spread.read().max() > 0


def test_it_says_where_there_is_none(plane_model: Path, tmp_path: Path) -> None:
    pixels = noise(20, 20)
    with pytest.raises(UsageError, match="expected one of tta"):
        predict(plane_model, pixels, uncertainty="dropout")
    with pytest.raises(UsageError, match="PNG"):
        predict(plane_model, pixels, tmp_path / "a.png", uncertainty="tta")
    own = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
    rdf = small.image_model(2, postprocessing=[own])
    whole = small.write_package(tmp_path / "whole", rdf, small.encoder_decoder(2))
    with pytest.raises(UsageError, match="statistics of the whole output"):
        predict(whole, pixels, uncertainty="tta")
