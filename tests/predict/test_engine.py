"""Tiling changes nothing: every way to cut a sample gives what the whole gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopezoo.errors import IncompatibleImageError, PackageError, UntrustedError, UsageError
from scopezoo.predict.engine import Engine
from scopezoo.store import open_package
from tests import small_models as small

TILED = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def engine(folder: Path, **options: Any) -> Engine:
    return Engine(open_package(folder), runtime="onnxruntime", **options)


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@TILED
@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(20, 60), st.integers(20, 60), st.integers()
)
def test_tiles_of_a_plane_give_the_whole(
    plane_model: Path, height: int, width: int, tile_y: int, tile_x: int, seed: int
) -> None:
    pixels = noise((1, 1, height, width), abs(seed))
    whole = engine(plane_model).predict_sample({"raw": pixels})["out"]
    tiled = engine(plane_model, tile={"y": tile_y, "x": tile_x}).predict_sample({"raw": pixels})
    np.testing.assert_allclose(tiled["out"], whole, atol=1e-5)
    assert whole.shape == pixels.shape


def test_tiles_of_a_volume_give_the_whole(volume_model: Path) -> None:
    pixels = noise((1, 1, 31, 47, 53))
    whole = engine(volume_model).predict_sample({"raw": pixels})["out"]
    cut = engine(volume_model, tile={"z": 20, "y": 24, "x": 26})
    assert len(cut.plan(pixels.shape)) > 4
    np.testing.assert_allclose(cut.predict_sample({"raw": pixels})["out"], whole, atol=1e-5)


@TILED
@given(st.integers(24, 60), st.integers(24, 60), st.integers(0, 2**16))
def test_labels_of_tiles_are_labels_of_the_whole(
    label_model: Path, tile_y: int, tile_x: int, seed: int
) -> None:
    pytest.importorskip("stardist")
    pixels = 3 * noise((1, 1, 83, 101), seed)
    whole = engine(label_model).predict_sample({"raw": pixels})["out"]
    tiled = engine(label_model, tile={"y": tile_y, "x": tile_x}).predict_sample({"raw": pixels})
    assert whole.max() > 3
    np.testing.assert_array_equal(np.unique(whole), np.arange(whole.max() + 1))
    np.testing.assert_array_equal(tiled["out"], whole)


def test_the_declared_halo_counts_where_it_is_larger(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    for axis in rdf["outputs"][0]["axes"][2:]:
        axis["halo"] = 14
    folder = small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    halo = engine(folder).halo
    assert halo.declared == {"y": 14, "x": 14}
    assert halo.used == {"y": 14, "x": 14}
    for axis in "yx":
        needed, radius = halo.needed[axis], halo.radius[axis]
        assert needed is not None
        assert radius is not None
        assert 0 < needed <= radius + 1


@pytest.mark.parametrize("size", [16, 40, 41])
def test_a_network_of_one_size_runs_on_any(tmp_path: Path, size: int) -> None:
    rdf = small.image_model(2)
    for axis in rdf["inputs"][0]["axes"][2:]:
        axis["size"] = 40
    for axis in rdf["outputs"][0]["axes"][2:]:
        axis["size"] = 40
    fixed = engine(small.write_package(tmp_path / "fixed", rdf, small.encoder_decoder(2)))
    pixels = noise((1, 1, 75, size))
    result = fixed.predict_sample({"raw": pixels})["out"]
    assert result.shape == pixels.shape
    free = small.write_package(tmp_path / "free", small.image_model(2), small.encoder_decoder(2))
    expected = engine(free).predict_sample({"raw": pixels})["out"]
    inside = (..., slice(0, 60), slice(0, max(1, size - 10)))
    if size >= 40:
        np.testing.assert_allclose(result[inside], expected[inside], atol=1e-5)


def test_unpadded_convolutions_still_cover_the_image(tmp_path: Path) -> None:
    nodes, weights = small.convolution("out", "raw", np.ones((1, 1, 5, 5)) / 25, pads=[0] * 4)
    onnx = small.network(
        nodes, weights, {"raw": [1, 1, "y", "x"]}, {"out": [1, 1, "y_out", "x_out"]}
    )
    rdf = small.image_model(2)
    for axis in rdf["inputs"][0]["axes"][2:]:
        axis["size"] = {"min": 8, "step": 1}
    for axis in rdf["outputs"][0]["axes"][2:]:
        axis["size"]["offset"] = -4
    folder = small.write_package(tmp_path, rdf, onnx)
    pixels = noise((1, 1, 50, 61))
    padded = np.pad(pixels[0, 0], 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    expected = windows.mean(axis=(2, 3))
    for options in ({}, {"tile": {"y": 20, "x": 25}}):
        result = engine(folder, **options).predict_sample({"raw": pixels})["out"]
        np.testing.assert_allclose(result[0, 0], expected, atol=1e-5)


def test_margins_fall_on_the_stride(tmp_path: Path) -> None:
    """An unpadded network with a pooling gives its own pixels inside the reflected margin."""
    from onnx import helper

    a, a_w = small.convolution("a", "raw", small.random_weights(2, 1, 3, 3), pads=[0] * 4)
    pool = helper.make_node("MaxPool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2])
    b, b_w = small.convolution("b", "p", small.random_weights(1, 2, 3, 3), pads=[0] * 4)
    scales = small.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    up = helper.make_node(
        "Resize",
        ["b", "", "scales"],
        ["out"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    onnx = small.network(
        [*a, pool, *b, up],
        [*a_w, *b_w, scales],
        {"raw": [1, 1, "y", "x"]},
        {"out": [1, 1, "y_out", "x_out"]},
    )
    rdf = small.image_model(2)
    for axis in rdf["outputs"][0]["axes"][2:]:
        axis["size"]["offset"] = -6
    valid = engine(small.write_package(tmp_path, rdf, onnx))
    pixels = noise((1, 1, 40, 46))
    raw = valid.runtime.run([pixels])[0]
    assert raw.shape == (1, 1, 34, 40)
    found = valid.predict_sample({"raw": pixels})
    assert found["out"].shape == pixels.shape
    inside = valid.without_margins({"raw": pixels}, found)["out"]
    np.testing.assert_allclose(inside, raw, atol=1e-6)


def test_a_description_that_lies_about_sizes_is_said(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    rdf["outputs"][0]["axes"][2]["scale"] = 0.5
    folder = small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    with pytest.raises(PackageError, match="description says 80"):
        engine(folder).predict_sample({"raw": noise((1, 1, 40, 40))})


def test_a_size_that_follows_the_channels_is_refused(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    rdf["outputs"][0]["axes"][2]["size"] = {"tensor_id": "raw", "axis_id": "channel"}
    folder = small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    with pytest.raises(PackageError, match=r"'y' refers to raw\.channel"):
        engine(folder)


def test_statistics_of_another_output_are_refused(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    step = {"id": "scale_range", "kwargs": {"reference_tensor": "out", "axes": ["y", "x"]}}
    rdf["outputs"].append(rdf["outputs"][0] | {"id": "second", "postprocessing": [step]})
    folder = small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    with pytest.raises(PackageError, match="'second' need statistics of the output 'out'"):
        Engine(open_package(folder))
    step["kwargs"]["reference_tensor"] = "raw"
    small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    with pytest.raises(PackageError, match="the network has 1 outputs"):  # found later, and true
        engine(folder)


def test_what_no_machine_can_hold_is_refused(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    for axis in rdf["inputs"][0]["axes"][2:]:
        axis["size"] = {"min": 2**24, "step": 2}
    folder = small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    with pytest.raises(IncompatibleImageError, match="GB"):
        engine(folder).predict_sample({"raw": noise((1, 1, 40, 40))})


def test_a_product_of_sizes_beyond_int64_is_refused(tmp_path: Path) -> None:
    rdf = small.image_model(3)
    for axis in rdf["inputs"][0]["axes"][2:]:
        axis["size"] = {"min": 2**22, "step": 2}
    folder = small.write_package(tmp_path, rdf, small.encoder_decoder(3))
    with pytest.raises(IncompatibleImageError, match="GB"):
        engine(folder).plan((1, 1, 20, 40, 40))


@pytest.mark.parametrize("tile", [None, {"y": 24, "x": 24}])
def test_outputs_of_another_scale(tmp_path: Path, tile: dict[str, int] | None) -> None:
    from onnx import helper

    pool = helper.make_node("MaxPool", ["raw"], ["out"], kernel_shape=[2, 2], strides=[2, 2])
    onnx = small.network([pool], [], {"raw": [1, 1, "y", "x"]}, {"out": [1, 1, "y_out", "x_out"]})
    rdf = small.image_model(2)
    for axis in rdf["outputs"][0]["axes"][2:]:
        axis["scale"] = 2.0
    pixels = noise((1, 1, 64, 50))
    result = engine(small.write_package(tmp_path, rdf, onnx), tile=tile)
    expected = pixels.reshape(1, 1, 32, 2, 25, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(result.predict_sample({"raw": pixels})["out"], expected)


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [
        helper.make_node("Add", ["first", "second"], ["sum"]),
        helper.make_node("Sub", ["first", "second"], ["difference"]),
    ]
    shape = [1, 1, "y", "x"]
    onnx = small.network(
        nodes,
        [],
        {"first": shape, "second": shape},
        {"sum": [1, 1, "a", "b"], "difference": [1, 1, "a", "b"]},
    )
    axes = [small.BATCH, small.channels("signal"), small.space("y"), small.space("x")]
    out = [
        small.BATCH,
        small.channels("result"),
        small.follows("y", "first"),
        small.follows("x", "first"),
    ]
    rdf = small.description(
        [{"id": "first", "axes": axes}, {"id": "second", "axes": axes}],
        [{"id": "sum", "axes": out}, {"id": "difference", "axes": out}],
    )
    folder = small.write_package(tmp_path, rdf, onnx)
    a, b = noise((1, 1, 45, 33), 1), noise((1, 1, 45, 33), 2)
    results = engine(folder, tile={"y": 16, "x": 16}).predict_sample({"first": a, "second": b})
    np.testing.assert_array_equal(results["sum"], a + b)
    np.testing.assert_array_equal(results["difference"], a - b)


@pytest.mark.parametrize("spare", [True, False])
def test_an_input_left_out(tmp_path: Path, spare: bool) -> None:
    """ONNX lets an input be left out that has a value of its own in the file."""
    from onnx import helper

    value = small.numpy_helper.from_array(np.full((1, 1, 1, 1), 5, np.float32), "mask")
    free = [1, 1, "y", "x"]
    onnx = small.network(
        [helper.make_node("Add", ["mask", "raw"], ["out"])],
        [value] if spare else [],
        {"mask": [1, 1, 1, 1] if spare else free, "raw": free},
        {"out": [1, 1, "y_out", "x_out"]},
    )
    rdf = small.image_model(2)
    rdf["inputs"].append(rdf["inputs"][0] | {"id": "mask", "optional": True})
    folder = small.write_package(tmp_path, rdf, onnx)
    pixels = noise((1, 1, 40, 40))
    if spare:
        result = engine(folder).predict_sample({"raw": pixels})["out"]
        np.testing.assert_array_equal(result, pixels + 5)
        return
    with pytest.raises(UsageError, match="'mask'; give it as mask=FILE"):
        engine(folder).predict_sample({"raw": pixels})


def test_statistics_of_an_input_left_out(tmp_path: Path) -> None:
    step = {"id": "scale_range", "kwargs": {"reference_tensor": "mask", "axes": ["y", "x"]}}
    rdf = small.image_model(2, postprocessing=[step])
    rdf["inputs"].append(rdf["inputs"][0] | {"id": "mask", "optional": True})
    rdf["inputs"][1]["preprocessing"] = [{"id": "scale_range", "kwargs": {"axes": ["y", "x"]}}]
    nodes, weights = small.convolution("out", "raw", np.ones((1, 1, 1, 1)))
    free = [1, 1, "y", "x"]
    onnx = small.network(nodes, weights, {"raw": free, "mask": free}, {"out": free})
    with pytest.raises(UsageError, match="statistics of the input 'mask'"):
        engine(small.write_package(tmp_path, rdf, onnx)).predict_sample(
            {"raw": noise((1, 1, 40, 40))}
        )


def test_statistics_of_the_output_are_those_of_the_whole(tmp_path: Path) -> None:
    steps = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}]
    rdf = small.image_model(2, postprocessing=steps)
    folder = small.write_package(tmp_path, rdf, small.encoder_decoder(2))
    pixels = noise((1, 1, 70, 71)) + np.linspace(0, 5, 71, dtype=np.float32)
    result = engine(folder, tile={"y": 30, "x": 30}).predict_sample({"raw": pixels})["out"]
    assert abs(result.mean()) < 1e-4
    assert abs(result.std() - 1) < 1e-3


def test_empty_windows_run_once(plane_model: Path) -> None:
    cut = engine(plane_model, tile={"y": 30, "x": 30})
    calls = []
    inner = cut.runtime.run

    class Counting:
        name, version = cut.runtime.name, cut.runtime.version
        weights_format, weights_sha256 = cut.runtime.weights_format, cut.runtime.weights_sha256
        precision = cut.runtime.precision

        def run(self, inputs: Any) -> Any:
            calls.append(inputs[0].shape)
            return inner(inputs)

    pixels = np.zeros((1, 1, 200, 200), np.float32)
    pixels[..., :20, :20] = noise((20, 20))
    tiles = len(cut.plan(pixels.shape))
    cut.runtime = Counting()
    result = cut.predict_sample({"raw": pixels})["out"]
    assert len(calls) < tiles / 4
    whole = engine(plane_model).predict_sample({"raw": pixels})["out"]
    np.testing.assert_allclose(result, whole, atol=1e-5)


def test_nan_is_refused_with_its_place(plane_model: Path) -> None:
    pixels = noise((1, 1, 30, 30))
    pixels[0, 0, 3, 4] = np.nan
    with pytest.raises(IncompatibleImageError, match="NaN"):
        engine(plane_model).predict_sample({"raw": pixels})


def test_code_of_a_package_needs_trust(tmp_path: Path) -> None:
    step = {"id": "custom", "callable": "double", "source": "post.py", "kwargs": {"by": 2}}
    folder = small.write_package(
        tmp_path, small.image_model(2, postprocessing=[step]), small.encoder_decoder(2)
    )
    (folder / "post.py").write_text("def double(by):\n    return lambda x: by * x\n")
    with pytest.raises(UntrustedError, match="--trust"):
        engine(folder)
    pixels = noise((1, 1, 40, 40))
    trusted = engine(folder, trust=True).predict_sample({"raw": pixels})["out"]
    plain = small.write_package(tmp_path / "plain", small.image_model(2), small.encoder_decoder(2))
    np.testing.assert_allclose(
        trusted, 2 * engine(plain).predict_sample({"raw": pixels})["out"], atol=1e-6
    )


def test_what_cannot_be_decoded_is_said(tmp_path: Path) -> None:
    step = {"id": "cellpose_flow_dynamics", "kwargs": {}}
    folder = small.write_package(
        tmp_path, small.image_model(2, postprocessing=[step]), small.encoder_decoder(2)
    )
    with pytest.raises(PackageError, match="cellpose"):
        engine(folder)


def test_wrong_choices_are_usage_errors(plane_model: Path) -> None:
    for options in (
        {"runtime": "theano"},
        {"device": "abacus"},
        {"precision": "int8"},
        {"runtime": "torchscript"},
        {"precision": "bf16", "runtime": "onnxruntime"},
    ):
        with pytest.raises(UsageError):
            Engine(open_package(plane_model), **options)


def test_runtimes_agree(plane_model: Path, volume_model: Path) -> None:
    pytest.importorskip("openvino")
    for folder, shape in ((plane_model, (1, 1, 64, 70)), (volume_model, (1, 1, 20, 30, 30))):
        pixels = noise(shape)
        expected = engine(folder).predict_sample({"raw": pixels})["out"]
        other = Engine(open_package(folder), runtime="openvino")
        np.testing.assert_allclose(
            other.predict_sample({"raw": pixels})["out"], expected, atol=1e-4
        )


def test_a_real_network_with_a_halo_too_small(shared_data: Path) -> None:
    package = open_package(shared_data / "bmz_nuclei_broad_dynamic")
    cut = Engine(package, tile={"y": 384, "x": 384})
    assert cut.halo.declared == {"y": 32, "x": 32}
    assert cut.halo.needed == {"y": 48, "x": 48}
    assert cut.halo.radius == {"y": 58, "x": 58}
    pixels = noise((1, 1, 601, 500))
    whole = Engine(package, memory_bytes=10**10).predict_sample({"raw": pixels})["probability"]
    tiled = cut.predict_sample({"raw": pixels})["probability"]
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


@pytest.mark.parametrize("name", ["bmz_nuclei_broad_dynamic", "bmz_nuclei_broad_fixed"])
def test_real_packages_reproduce_their_test_tensors(shared_data: Path, name: str) -> None:
    folder = shared_data / name
    pixels = np.load(folder / "test_input.npy")
    expected = np.load(folder / "test_output.npy")
    result = Engine(open_package(folder)).predict_sample({"raw": pixels})["probability"]
    np.testing.assert_allclose(result, expected, atol=1e-3)
