"""Layers as images of the engine, and results as layers: no window is needed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import StoppedError, UsageError
from scopezoo.image import Image
from scopezoo.serving.napari.layer_image import (
    axes_choices,
    channel_names,
    layer_image,
    pixel_size_um,
    stated_axes,
)
from scopezoo.serving.napari.result_layers import Place, output_layers

napari = pytest.importorskip("napari", reason="napari is not installed: scopezoo[napari]")
ImageLayer = napari.layers.Image
SIZES = {"T": 2, "Z": 3, "C": 4, "Y": 6, "X": 5}


def layer_of(axes: str, **settings: Any) -> Any:
    shape = tuple(SIZES[axis] for axis in axes)
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return ImageLayer(pixels, name="layer", **settings)


@pytest.mark.parametrize(
    ("axes", "settings", "expected"),
    [
        ("YX", {}, "YX"),
        ("ZYX", {}, None),
        ("ZYX", {"units": ("um", "um", "um")}, "ZYX"),
        ("TYX", {"units": ("s", "um", "um")}, "TYX"),
        ("TCYX", {"axis_labels": ("time", "channel", "y", "x")}, "TCYX"),
        ("CZYX", {"axis_labels": ("c", "z", "y", "x")}, "CZYX"),
        ("ZYX", {"axis_labels": ("z", "row", "column")}, None),
        ("ZYX", {"axis_labels": ("y", "y", "x")}, None),
    ],
)
def test_axes_are_those_that_the_layer_tells(
    axes: str, settings: dict[str, Any], expected: str | None
) -> None:
    assert stated_axes(layer_of(axes, **settings)) == expected


def test_a_colour_image_has_named_channels() -> None:
    layer = ImageLayer(np.zeros((6, 5, 3), np.uint8), rgb=True)
    assert axes_choices(layer) == ["YXC"]
    assert channel_names(layer, "YXC") == ("red", "green", "blue")
    assert layer_image(layer, "YXC").channel_index("green") == 1


def test_too_many_dimensions_are_refused() -> None:
    with pytest.raises(UsageError, match="6 dimensions"):
        axes_choices(ImageLayer(np.zeros((1, 1, 1, 1, 2, 2))))


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1e-3), ("um", 1.0), ("mm", 1e3)])
def test_known_units_become_micrometres(unit: str, factor: float) -> None:
    layer = layer_of("YX", scale=(2, 3), units=(unit, unit))
    assert pixel_size_um(layer, "YX") == pytest.approx({"Y": 2 * factor, "X": 3 * factor})


def test_a_scale_in_pixels_is_no_pixel_size() -> None:
    assert pixel_size_um(layer_of("YX", scale=(2, 3)), "YX") == {}


def test_frame_interval() -> None:
    layer = layer_of("TYX", scale=(0.5, 1, 1), units=("minute", "um", "um"))
    assert layer_image(layer, "TYX").frame_interval_s == 30


def test_a_dask_layer_is_computed_where_it_is_sliced() -> None:
    import dask.array

    computed: list[Any] = []

    def compute(block: Any, block_info: Any = None) -> Any:
        computed.append(block_info)
        return block

    pixels = np.arange(64.0).reshape(8, 8)
    lazy = dask.array.from_array(pixels, chunks=4).map_blocks(compute, dtype=float, meta=pixels[:0])
    layer = ImageLayer(lazy, contrast_limits=(0, 64))
    image = layer_image(layer, "YX")
    computed.clear()
    np.testing.assert_array_equal(image.read(Y=slice(0, 3), X=slice(1, 4)), pixels[:3, 1:4])
    assert len(computed) == 1
    assert image.data.chunks == (4, 4)  # type: ignore[attr-defined]


def test_reading_can_be_stopped() -> None:
    def check() -> None:
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        layer_image(layer_of("YX"), "YX", check).read()


def test_bool_becomes_numbers() -> None:
    layer = ImageLayer(np.array([[True, False], [False, True]]))
    assert layer_image(layer, "YX").read().dtype == np.uint8


@given(
    axes=st.sampled_from(["YX", "ZYX", "TYX", "CYX", "TZYX", "TCYX", "CZYX", "TZCYX"]),
    zoom=st.sampled_from([1, 2]),
    channels=st.integers(1, 2),
    scale=st.floats(0.1, 3),
    data=st.data(),
)
def test_a_result_lies_on_its_layer(
    axes: str, zoom: int, channels: int, scale: float, data: st.DataObject
) -> None:
    """The outer corners of a result's first and last pixel are those of the layer's."""
    ndim = len(axes)
    layer = layer_of(axes, scale=[scale + i for i in range(ndim)], translate=np.arange(ndim))
    layer.affine = np.eye(ndim + 1) + np.diag(np.full(ndim, 0.1), 1)
    channel = data.draw(st.integers(0, SIZES["C"] - 1)) if "C" in axes else 0
    found_axes = axes if "C" in axes or channels == 1 else axes.replace("YX", "CYX")
    sizes = SIZES | {"C": channels, "Y": SIZES["Y"] * zoom, "X": SIZES["X"] * zoom}
    found = Image(np.zeros([sizes[axis] for axis in found_axes]), found_axes)
    image = layer_image(layer, axes)
    layers = list(output_layers([found], "image", image, Place.of(layer, axes), "name", channel))
    assert len(layers) == channels
    for pixels, settings, _ in layers:
        result = ImageLayer(pixels, **settings)
        kept = axes.removeprefix("C") if axes.startswith("C") else axes
        for end in (False, True):
            corner = _corner(result.data.shape, end)
            expected = _corner([1 if a == "C" else SIZES[a] for a in kept], end)
            if "C" in kept:
                expected[kept.index("C")] += channel
            whole = np.concatenate([np.full(ndim - len(kept), 0.0), expected])
            world = np.asarray(layer.data_to_world(whole))[ndim - len(kept) :]
            np.testing.assert_allclose(result.data_to_world(corner), world, atol=1e-9)


def _corner(shape: Any, end: bool) -> np.ndarray:
    return np.asarray(shape, float) - 0.5 if end else np.full(len(shape), -0.5)


def test_the_channels_of_an_output_are_layers_with_their_names() -> None:
    layer = layer_of("YX")
    pixels = np.random.default_rng(0).random((2, 6, 5))
    found = Image(pixels, "CYX", channel_names=("inside", "border"))
    image = layer_image(layer, "YX")
    first, second = output_layers([found], "image", image, Place.of(layer, "YX"), "name")
    assert [first[1]["name"], second[1]["name"]] == ["name inside", "name border"]
    np.testing.assert_array_equal(second[0], pixels[1])


def test_the_plugin_needs_no_server() -> None:
    """What napari imports brings no web framework, and no Qt before the widget is opened."""
    modules = "reader samples layer_image result_layers job sources"
    imports = "".join(f"import scopezoo.serving.napari.{name}\n" for name in modules.split())
    check = "import sys; print([m for m in ('fastapi', 'uvicorn', 'qtpy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", imports + check], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
