"""A rewritten network gives what the network gives, for images of any size, and computes less."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from scopezoo.predict.graph import analyse_graph
from scopezoo.predict.graph.lighter import lighter_model
from tests import small_models as small

ALL = (1, 2, 3)


def run(model: bytes, pixels: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"raw": pixels})[0])


def operators(model: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_from_string(model).graph.node)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def decoder(
    kernel: list[int],
    pads: list[int],
    factors: list[int],
    channels: tuple[int, int] = (8, 8),
    joined: int = 0,
    after: tuple[str, ...] = (),
    conv: dict[str, Any] | None = None,
    **resize: Any,
) -> bytes:
    """A pooled image enlarged by `factors` again, joined with `joined` channels of the image, and
    put through one convolution and the operators `after`."""
    n = len(kernel)
    free = ["z", "y", "x"][-n:]
    channels_in, channels_out = channels
    stem, stem_w = small.convolution("stem", "raw", small.random_weights(8, 1, *[3] * n))
    low, low_w = small.convolution("low", "p", small.random_weights(channels_in, 8, *[1] * n))
    nodes = [
        *stem,
        helper.make_node("AveragePool", ["stem"], ["p"], kernel_shape=factors, strides=factors),
        *low,
        helper.make_node("Resize", ["low", "", "scales"], ["up"], **resize),
    ]
    weights = [
        *stem_w,
        *low_w,
        numpy_helper.from_array(np.array([1, 1, *factors], np.float32), "scales"),
    ]
    last = "up"
    if joined:
        side, side_w = small.convolution(
            "side", "stem", small.random_weights(joined, 8, *[1] * n, seed=5)
        )
        nodes += [*side, helper.make_node("Concat", ["side", "up"], ["join"], axis=1)]
        weights += side_w
        last = "join"
    shape = (channels_out, channels_in + joined, *kernel)
    main, main_w = small.convolution("c", last, small.random_weights(*shape, seed=7), pads)
    main[0].attribute.extend(helper.make_attribute(k, v) for k, v in (conv or {}).items())
    main[0].input.append("bias")
    bias = np.linspace(-1, 1, channels_out).astype(np.float32)
    weights += [*main_w, numpy_helper.from_array(bias, "bias")]
    nodes += main
    last = "c"
    for op in after:
        norm = [f"norm{i}" for i in range(4)]
        extra = norm if op == "BatchNormalization" else []
        values = np.linspace(0.5, 1.5, channels_out).astype(np.float32)
        weights += [numpy_helper.from_array(values, name) for name in extra]
        nodes.append(helper.make_node(op, [last, *extra], [f"{last}_"]))
        last += "_"
    nodes.append(helper.make_node("Identity", [last], ["out"]))
    return small.network(
        nodes,
        weights,
        {"raw": [1, 1, *free]},
        {"out": [1, channels_out, *(f"{axis}_out" for axis in free)]},
    )


NEAREST = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}
REPEATING = [
    NEAREST,
    NEAREST | {"coordinate_transformation_mode": "half_pixel"},
    NEAREST
    | {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor"},
]
LINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_convolution_of_repeated_pixels_is_a_transposed_one(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 3))
    kernel = data.draw(
        st.lists(st.integers(1, 4), min_size=n, max_size=n).filter(lambda k: max(k) > 1)
    )
    pads = [data.draw(st.integers(0, size - 1)) for size in kernel * 2]
    factors = data.draw(
        st.lists(st.integers(1, 3), min_size=n, max_size=n).filter(lambda f: max(f) > 1)
    )
    joined = data.draw(st.sampled_from([0, 8, 9]))
    how = data.draw(st.sampled_from(REPEATING[::2]))
    model = decoder(kernel, pads, factors, joined=joined, **how)
    found = lighter_model(model, ALL)
    assert found is not None
    assert operators(found)["ConvTranspose"] == 1
    assert not operators(found)["Resize"]
    assert not operators(found)["Concat"]
    sizes = [data.draw(st.integers(4, 6)) * factor for factor in factors]
    pixels = noise(1, 1, *sizes)
    np.testing.assert_allclose(run(found, pixels), run(model, pixels), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_pointwise_convolution_comes_before_the_upsampling(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 3))
    factors = data.draw(
        st.lists(st.integers(1, 3), min_size=n, max_size=n).filter(lambda f: max(f) > 1)
    )
    modes = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    how = data.draw(
        st.sampled_from([NEAREST, *(LINEAR | {"coordinate_transformation_mode": m} for m in modes)])
    )
    model = decoder([1] * n, [0] * 2 * n, factors, (16, 8), after=("Relu",), **how)
    found = lighter_model(model, ())
    assert found is not None
    kinds = [node.op_type for node in onnx.load_from_string(found).graph.node]
    assert kinds[-4:] == ["Conv", "Resize", "Relu", "Identity"]
    pixels = noise(1, 1, *(data.draw(st.integers(2, 7)) * factor for factor in factors))
    np.testing.assert_allclose(run(found, pixels), run(model, pixels), atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_unet_computes_and_keeps_less(ndim: int, mode: str) -> None:
    model = small.unet(ndim, mode)
    found = lighter_model(model, ALL)
    assert found is not None
    pixels = noise(1, 1, *(20, 28, 36)[:ndim])
    np.testing.assert_allclose(run(found, pixels), run(model, pixels), atol=1e-5)
    before, after = analyse_graph(model), analyse_graph(found)
    assert after.macs_per_px < before.macs_per_px
    assert (after.activation_bytes_per_px or 0) < 0.8 * (before.activation_bytes_per_px or 0)
    assert after.outputs == before.outputs
    assert [axis.stride_px for axis in after.axes] == [axis.stride_px for axis in before.axes]
    assert all(a.radius_px == b.radius_px for a, b in zip(after.axes, before.axes, strict=True))
    assert lighter_model(found, ALL) is None


def test_openvino_gives_the_same() -> None:
    core = pytest.importorskip("openvino").Core()
    for ndim, mode in ((2, "linear"), (2, "nearest"), (3, "nearest")):
        model = small.unet(ndim, mode)
        found = lighter_model(model, ALL)
        pixels = noise(1, 1, *(24, 32, 40)[:ndim])
        core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        result = core.compile_model(core.read_model(found), "CPU")(pixels)[0]
        np.testing.assert_allclose(result, run(model, pixels), atol=1e-4)


LEFT_ALONE = {
    "linear, wide kernel": decoder([3, 3], [1] * 4, [2, 2], **LINEAR),
    "pixels not repeated": decoder([3, 3], [1] * 4, [2, 2], **NEAREST | {"nearest_mode": "ceil"}),
    "aligned corners": decoder(
        [3, 3], [1] * 4, [2, 2], **NEAREST | {"coordinate_transformation_mode": "align_corners"}
    ),
    "strides": decoder([3, 3], [1] * 4, [2, 2], conv={"strides": [2, 2]}, **NEAREST),
    "dilations": decoder([3, 3], [1] * 4, [2, 2], conv={"dilations": [2, 2]}, **NEAREST),
    "wide padding": decoder([3, 3], [3] * 4, [2, 2], **NEAREST),
    "more channels after": decoder([1, 1], [0] * 4, [2, 2], (8, 16), **LINEAR),
    "padded pointwise": decoder([1, 1], [1] * 4, [2, 2], **LINEAR),
    "normalised next": decoder(
        [3, 3], [1] * 4, [2, 2], joined=8, after=("BatchNormalization",), **NEAREST
    ),
    "few channels": decoder([3, 3], [1] * 4, [2, 2], joined=4, **LINEAR),
    "no enlargement": decoder([3, 3], [1] * 4, [1, 1], **NEAREST),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_would_differ_or_cost_more_is_left_alone(name: str) -> None:
    assert lighter_model(LEFT_ALONE[name], ALL) is None


def edited(change: Any) -> bytes | None:
    """A decoder after `change` of its graph, made lighter."""
    model = onnx.load_from_string(decoder([3, 3], [1] * 4, [2, 2], joined=8, **NEAREST))
    change(model)
    return lighter_model(model.SerializeToString(), ALL)


def also_read(name: str) -> Any:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node("Relu", [name], ["more"]))
        model.graph.output.append(helper.make_tensor_value_info("more", 1, None))

    return change


def test_what_others_read_is_kept() -> None:
    kept = edited(also_read("up"))
    assert kept is not None
    assert operators(kept)["Resize"] == 1
    assert not operators(kept)["Concat"]
    assert edited(also_read("join")) is None


def given_as_input(name: str) -> Any:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info(name, 1, None))

    return change


def test_a_weight_that_a_run_may_replace_is_no_constant() -> None:
    assert edited(given_as_input("c_w")) is None


def test_grouped_and_other_kinds_of_weights_stay() -> None:
    def half(model: onnx.ModelProto) -> None:
        weight = next(w for w in model.graph.initializer if w.name == "c_w")
        weight.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), "c_w")
        )

    def grouped(model: onnx.ModelProto) -> None:
        conv = next(node for node in model.graph.node if node.output[0] == "c")
        conv.attribute.append(helper.make_attribute("group", 2))

    assert edited(half) is None
    assert edited(grouped) is None


def test_scales_that_follow_the_image_stay() -> None:
    """Twice as large at the sizes that are looked at, but not at every size."""

    def follow(model: onnx.ModelProto) -> None:
        graph = model.graph
        resize = next(node for node in graph.node if node.op_type == "Resize")
        at = list(graph.node).index(resize)
        resize.input[2] = "ratio"
        shapes = [("stem", "large"), ("low", "small")]
        made = [helper.make_node("Shape", [name], [to], start=2) for name, to in shapes]
        made += [helper.make_node("Cast", [to], [f"{to}_f"], to=1) for _, to in shapes]
        made += [
            helper.make_node("Div", ["large_f", "small_f"], ["space"]),
            helper.make_node("Concat", ["ones", "space"], ["ratio"], axis=0),
        ]
        graph.initializer.append(numpy_helper.from_array(np.ones(2, np.float32), "ones"))
        for node in reversed(made):
            graph.node.insert(at, node)

    found = edited(follow)
    assert found is not None
    assert operators(found)["Resize"] == 1
    model = decoder([3, 3], [1] * 4, [2, 2], joined=8, **NEAREST)
    pixels = noise(1, 1, 15, 17)
    original = onnx.load_from_string(model)
    follow(original)
    np.testing.assert_allclose(
        run(found, pixels), run(original.SerializeToString(), pixels), atol=1e-5
    )


def test_graphs_within_nodes_stay() -> None:
    def branch(model: onnx.ModelProto) -> None:
        inner = helper.make_graph(
            [helper.make_node("Identity", ["c"], ["inner"])],
            "branch",
            [],
            [helper.make_tensor_value_info("inner", 1, None)],
        )
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        last = next(node for node in model.graph.node if node.op_type == "Identity")
        chosen = helper.make_node("If", ["yes"], ["out"], then_branch=inner, else_branch=inner)
        last.CopyFrom(chosen)

    assert edited(branch) is None


def test_unused_weights_are_dropped() -> None:
    found = lighter_model(decoder([3, 3], [1] * 4, [2, 2], joined=8, **NEAREST), ALL)
    assert found is not None
    names = {weight.name for weight in onnx.load_from_string(found).graph.initializer}
    assert "c_w" not in names
    assert "scales" not in names


def test_a_real_network(shared_data: Path) -> None:
    model = (shared_data / "bmz_nuclei_broad_dynamic" / "weights.onnx").read_bytes()
    found = lighter_model(model, ())
    assert found is not None
    assert not operators(found)["Concat"]
    pixels = noise(1, 1, 208, 192)
    np.testing.assert_allclose(run(found, pixels), run(model, pixels), atol=1e-5)
