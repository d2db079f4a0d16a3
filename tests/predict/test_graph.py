"""The receptive radius that a graph declares, against the one that perturbing pixels shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from scopezoo.errors import PackageError, UnsafePackageError
from scopezoo.predict.graph import GraphFacts, analyse_graph

N_PX = 192


class Builder:
    """A chain of nodes from "x"; every weight is positive, so that nothing cancels out."""

    def __init__(self, n_space: int = 1, channels: int = 1) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.n_space, self.channels, self.last = n_space, channels, "x"

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        self.last = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [self.last], **attributes))
        return self.last

    def spread(self, value: int) -> list[int]:
        """A setting for the last spatial axis, with 1 along the others."""
        return [1] * (self.n_space) + [value]

    def conv(
        self,
        kernel: int = 3,
        dilation: int = 1,
        stride: int = 1,
        pads: tuple[int, int] | None = None,
    ) -> str:
        weight = np.ones((self.channels, self.channels, *self.spread(kernel)), np.float32)
        before = dilation * (kernel - 1) // 2
        before, after = pads or (before, dilation * (kernel - 1) - before)
        return self.add(
            "Conv",
            self.last,
            self.constant(weight / kernel / self.channels),
            dilations=self.spread(dilation),
            strides=self.spread(stride),
            pads=[0] * self.n_space + [before] + [0] * self.n_space + [after],
        )

    def conv_transpose(self, kernel: int, stride: int) -> str:
        weight = np.ones((self.channels, self.channels, *self.spread(kernel)), np.float32)
        total = max(kernel - stride, 0)
        extra = max(stride - kernel, 0)
        return self.add(
            "ConvTranspose",
            self.last,
            self.constant(weight),
            strides=self.spread(stride),
            pads=[0] * self.n_space + [total // 2] + [0] * self.n_space + [total - total // 2],
            output_padding=[0] * self.n_space + [extra],
        )

    def pool(self, op: str, kernel: int, stride: int) -> str:
        total = kernel - stride
        return self.add(
            op,
            self.last,
            kernel_shape=self.spread(kernel),
            strides=self.spread(stride),
            pads=[0] * self.n_space + [total // 2] + [0] * self.n_space + [total - total // 2],
        )

    def resize(self, scale: float, **attributes: object) -> str:
        scales = self.constant(np.array([1.0, 1.0, *self.spread(1)[:-1], scale], np.float32))
        return self.add("Resize", self.last, "", scales, **attributes)

    def model(self, shape: list[int | str] | None = None, opset: int = 17) -> bytes:
        dims = shape or ["b", self.channels, *self.spread(1)[:-1], "n"]
        tensor = helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)
        out = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [tensor], [out], self.weights)
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def run(model: bytes, pixels: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: pixels})[0]


def numeric_radius(model: bytes, facts: GraphFacts, n_px: int = N_PX) -> int:
    """The furthest that a perturbed pixel reaches along the last axis, in input px.

    Output index o covers the input px [step*o + begin, step*(o+1) + begin).
    """
    rng = np.random.default_rng(0)
    base = rng.uniform(0.4, 0.6, (1, 1, 1, n_px)).astype(np.float32)
    before = run(model, base)[0].reshape(-1, run(model, base).shape[-1])
    step = float(1 / (facts.outputs[0].scale[-1] or 1))
    begin = (n_px - step * before.shape[-1]) / 2
    worst = 0
    for pixel in range(n_px // 3, 2 * n_px // 3):
        for change in (1.0, -1.0):  # a maximum hides what is smaller
            changed = base.copy()
            changed[..., pixel] += change
            after = run(model, changed)[0].reshape(before.shape)
            seen = np.flatnonzero((before != after).any(axis=0))
            if len(seen):
                right = pixel - (np.ceil(step * (seen.min() + 1) + begin) - 1)
                left = np.floor(step * seen.max() + begin) - pixel
                worst = max(worst, int(left), int(right))
    return worst


@st.composite
def chains(draw: st.DrawFn) -> tuple[bytes, int]:
    """A random stack of convolutions, pooling and nearest upsampling back to full size."""
    net, scale = Builder(), 1
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["conv", "strided", "pool", "up", "transpose", "linear"]))
        if kind == "conv":
            net.conv(draw(st.integers(1, 5)), draw(st.integers(1, 3)))
        elif kind in ("pool", "strided") and scale < 8:
            factor = draw(st.sampled_from([2, 3] if scale < 4 else [2]))
            kernel = draw(st.integers(factor, factor + 2))
            if kind == "pool":
                net.pool(draw(st.sampled_from(["MaxPool", "AveragePool"])), kernel, factor)
            else:
                before = (kernel - factor) // 2
                net.conv(kernel, 1, factor, (before, kernel - factor - before))
            scale *= factor
        elif kind == "up" and scale % 2 == 0:
            rounding = draw(st.sampled_from(["floor", "round_prefer_floor", "ceil"]))
            mode = draw(st.sampled_from(["asymmetric", "half_pixel"]))
            net.resize(2.0, nearest_mode=rounding, coordinate_transformation_mode=mode)
            scale //= 2
        elif kind == "transpose" and scale % 2 == 0:
            net.conv_transpose(draw(st.integers(2, 4)), 2)
            scale //= 2
        elif kind == "linear" and scale % 2 == 0:
            mode = draw(st.sampled_from(["linear", "cubic"]))
            net.resize(2.0, mode=mode, coordinate_transformation_mode="half_pixel")
            scale //= 2
    net.add("Relu", net.last)
    return net.model(["b", 1, 1, "n"]), scale


@given(chains())
@settings(max_examples=40, deadline=None)
def test_radius_covers_what_a_pixel_reaches(chain: tuple[bytes, int]) -> None:
    model, scale = chain
    facts = analyse_graph(model)
    axis = facts.axes[-1]
    assert facts.outputs[0].scale[-1] == Fraction(1, scale)
    assert axis.radius_px is not None
    assert axis.stride_px is not None
    assert axis.stride_px % scale == 0
    n_px = -(-N_PX // axis.stride_px) * axis.stride_px
    numeric = numeric_radius(model, facts, n_px)
    assert numeric <= axis.radius_px <= numeric + axis.stride_px


def parallel_branches() -> Builder:
    """A U-shape: pooled, dilated and upsampled again beside a skip connection."""
    net = Builder()
    skip = net.conv(3)
    net.pool("MaxPool", 2, 2)
    net.conv(3, 2)
    net.resize(2.0, mode="linear", coordinate_transformation_mode="half_pixel")
    net.add("Concat", skip, net.last, axis=1)
    net.channels = 2
    net.conv(5)
    return net


def test_radius_through_a_skip_connection() -> None:
    model = parallel_branches().model(["b", 1, 1, "n"])
    facts = analyse_graph(model)
    numeric = numeric_radius(model, facts)
    assert facts.axes[-1].stride_px == 2
    assert numeric <= (facts.axes[-1].radius_px or 0) <= numeric + 2
    assert facts.axes[0].radius_px == 0


def test_space_to_depth_and_back_is_exact_on_its_grid() -> None:
    net = Builder()
    net.add("SpaceToDepth", "x", blocksize=4)
    net.add("DepthToSpace", net.last, blocksize=4)
    axis = analyse_graph(net.model(["b", 1, "y", "x"])).axes[-1]
    assert (axis.radius_px, axis.stride_px) == (3, 4)


def test_reshaping_that_moves_no_pixel_changes_nothing() -> None:
    """A PixelShuffle written as Reshape, Transpose, Reshape, and space flattened and restored."""
    net = Builder()
    net.add("Reshape", "x", net.constant(np.array([1, 2, 2, 12, 10])))
    net.add("Transpose", net.last, perm=[0, 3, 1, 4, 2])
    net.add("Reshape", net.last, net.constant(np.array([1, 1, 24, 20])))
    net.add("Reshape", net.last, net.constant(np.array([1, 1, -1])))
    net.add("Sigmoid", net.last)
    net.add("Reshape", net.last, net.constant(np.array([1, 1, 24, 20])))
    net.add("Transpose", net.last, perm=[0, 2, 3, 1])
    facts = analyse_graph(net.model([1, 4, 12, 10]))
    assert facts.outputs[0].space == (1, 2)
    assert facts.outputs[0].scale == (2, 2)
    assert [axis.radius_px for axis in facts.axes] == [1, 1]


def shape_of_skip(op: str) -> Builder:
    """Resize or crop to the size of another tensor, as torch writes it."""
    net = Builder()
    net.pool("MaxPool", 2, 2)
    small = net.last
    shape = net.add("Shape", "x")
    head = net.add("Slice", shape, net.constant(np.array([0])), net.constant(np.array([2])))
    one = net.add("Gather", shape, net.constant(np.array([2])), axis=0)
    last = net.add("Gather", shape, net.constant(np.array([3])), axis=0)
    sizes = net.add("Concat", head, one, last, axis=0)
    net.last = small
    if op == "Resize":
        net.add(
            "Resize",
            small,
            "",
            "",
            sizes,
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    else:
        net.resize(2.0, coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        crop = (net.constant(np.array([3])), last, net.constant(np.array([3])))
        net.add("Slice", net.last, *crop)
    return net


def test_resize_to_the_size_of_another_tensor() -> None:
    facts = analyse_graph(shape_of_skip("Resize").model(["b", 1, 1, "n"]))
    assert (facts.axes[-1].radius_px, facts.axes[-1].stride_px) == (1, 2)
    assert facts.outputs[0].scale[-1] == 1


def test_resize_to_a_constant_size_depends_on_the_image() -> None:
    net = Builder()
    net.add("Resize", "x", "", "", net.constant(np.array([1, 1, 1, 256])))
    axis = analyse_graph(net.model(["b", 1, 1, "n"])).axes[-1]
    assert axis.radius_px is None
    assert "Resize" in axis.unbounded_by[0]


def global_nets() -> dict[str, Builder]:
    nets = {
        name: Builder()
        for name in (
            "GlobalAveragePool",
            "ReduceMean",
            "InstanceNormalization",
            "Softmax",
            "MatMul",
            "com.microsoft.Mystery",
            "CumSum",
        )
    }
    pooled = nets["GlobalAveragePool"].add("GlobalAveragePool", "x")
    nets["GlobalAveragePool"].add("Mul", "x", pooled)
    mean = nets["ReduceMean"].add("ReduceMean", "x", axes=[2, 3])
    nets["ReduceMean"].add("Sub", "x", mean)
    grouped = nets["InstanceNormalization"]
    grouped.add("Reshape", "x", grouped.constant(np.array([0, 1, -1])))
    one = grouped.constant(np.ones(1, np.float32))
    grouped.add("InstanceNormalization", grouped.last, one, one)
    shape = grouped.add("Shape", "x")
    grouped.add("Reshape", "t1", shape)
    nets["Softmax"].add("Softmax", "x", axis=3)
    attention = nets["MatMul"]
    attention.add("Reshape", "x", attention.constant(np.array([0, 1, -1])))
    across = attention.add("Transpose", attention.last, perm=[0, 2, 1])
    attention.add("MatMul", across, "t0")
    nets["com.microsoft.Mystery"].add("Mystery", "x", domain="com.microsoft")
    nets["CumSum"].add("CumSum", "x", nets["CumSum"].constant(np.array(3)))
    return nets


@pytest.mark.parametrize("name", list(global_nets()))
def test_what_mixes_all_of_space_is_unbounded_and_named(name: str) -> None:
    axis = analyse_graph(global_nets()[name].model(["b", 1, "y", "x"])).axes[-1]
    assert axis.radius_px is None
    assert name in axis.unbounded_by


def test_normalising_keeps_scale_and_stride() -> None:
    net = global_nets()["InstanceNormalization"]
    net.pool("MaxPool", 2, 2)
    facts = analyse_graph(net.model(["b", 1, 1, "n"]))
    assert facts.outputs[0].scale[-1] == Fraction(1, 2)
    assert facts.axes[-1].stride_px == 2


def test_softmax_over_channels_is_local() -> None:
    net = Builder(channels=3)
    net.conv(3)
    net.add("Softmax", net.last, axis=1)
    assert analyse_graph(net.model(["b", 3, 1, "n"])).axes[-1].radius_px == 1


def test_unpadded_network_is_centred() -> None:
    net = Builder()
    net.conv(5, pads=(0, 0))
    net.conv(3, pads=(0, 0))
    model = net.model(["b", 1, 1, "n"])
    facts = analyse_graph(model)
    assert facts.axes[-1].radius_px == 3 == numeric_radius(model, facts)


def test_cost_of_one_convolution() -> None:
    net = Builder(channels=4)
    net.conv(3)
    net.add("Relu", net.last)
    facts = analyse_graph(net.model(["b", 4, 1, "n"]))
    assert facts.macs_per_px == pytest.approx(4 * 4 * 3)
    assert facts.activation_bytes_per_px == 4 * 4  # Relu works in place


def test_declared_sizes_and_channel_last_inputs() -> None:
    net = Builder()
    net.add("Transpose", "x", perm=[0, 3, 1, 2])
    net.conv(3)
    facts = analyse_graph(net.model(["b", 64, "n", 1]), space=[(1, 2)])
    assert facts.inputs[0].shape == (None, 64, None, 1)
    assert [axis.radius_px for axis in facts.axes] == [0, 1]
    assert facts.outputs[0].space == (2, 3)


def test_weights_in_another_file_are_refused() -> None:
    net = Builder()
    net.conv(3)
    tensor = net.weights[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    with pytest.raises(UnsafePackageError, match="another file"):
        analyse_graph(net.model())


def test_lying_weights_are_refused() -> None:
    net = Builder()
    net.conv(3)
    net.weights[0].dims[0] = 1 << 40
    with pytest.raises(PackageError, match="declare"):
        analyse_graph(net.model())


def test_cycles_and_missing_inputs_are_refused() -> None:
    net = Builder()
    net.nodes = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
    ]
    net.last = "b"
    with pytest.raises(PackageError, match="'b'"):
        analyse_graph(net.model())


def test_huge_declared_shapes_cost_nothing() -> None:
    net = Builder()
    net.add("ConstantOfShape", net.constant(np.array([1 << 40, 1 << 20])))
    net.add("Expand", "x", net.constant(np.array([1 << 40, 1, 1, 1])))
    facts = analyse_graph(net.model(["b", 1, 1, "n"]))
    assert (facts.activation_bytes_per_px or 0) > 1 << 40


def test_deeply_nested_graphs_are_refused() -> None:
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    for _ in range(30):
        inner = helper.make_node("If", ["x"], ["y"], then_branch=graph)
        graph = helper.make_graph([inner], "g", [], [])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph.output.append(out)
    with pytest.raises(PackageError, match="nested"):
        analyse_graph(helper.make_model(graph).SerializeToString())


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_garbage_is_a_package_error(garbage: bytes) -> None:
    with pytest.raises(PackageError):
        analyse_graph(garbage)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_files_end_in_facts_or_a_package_error(data: st.DataObject) -> None:
    damaged = bytearray(parallel_branches().model(["b", 1, 1, "n"]))
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    try:
        facts = analyse_graph(bytes(damaged))
    except PackageError:
        return
    assert all((axis.radius_px is None) == bool(axis.unbounded_by) for axis in facts.axes)


NUMBERS = st.integers(-(1 << 62), 1 << 62) | st.integers(-8, 8)


@given(
    op=st.sampled_from(
        [
            "Conv",
            "MaxPool",
            "ConvTranspose",
            "Resize",
            "Pad",
            "Slice",
            "Reshape",
            "Transpose",
            "Concat",
            "Split",
            "Gather",
            "Tile",
            "Expand",
            "Softmax",
            "DepthToSpace",
            "SpaceToDepth",
            "ReduceMean",
            "Range",
            "TopK",
            "Upsample",
            "ConstantOfShape",
            "Squeeze",
            "Unsqueeze",
            "Gemm",
            "MatMul",
            "Flatten",
        ]
    ),
    values=st.lists(st.lists(NUMBERS, max_size=8), max_size=4),
    attributes=st.dictionaries(
        st.sampled_from(
            [
                "axis",
                "axes",
                "pads",
                "strides",
                "dilations",
                "kernel_shape",
                "perm",
                "group",
                "blocksize",
                "auto_pad",
                "mode",
                "output_shape",
                "scales",
            ]
        ),
        NUMBERS | st.lists(NUMBERS, min_size=1, max_size=6) | st.floats() | st.text(max_size=12),
    ),
)
@example(op="Unsqueeze", values=[[0, 0]], attributes={})
@settings(max_examples=300, deadline=None)
def test_hostile_attributes_end_in_facts_or_a_package_error(
    op: str, values: list[list[int]], attributes: dict[str, object]
) -> None:
    net = Builder()
    inputs = [net.constant(np.array(value, dtype=np.int64)) for value in values]
    net.add(op, "x", *inputs, **attributes)
    net.add("Relu", net.last)
    for shape in (["b", 1, "y", "x"], [1, 1, 8, 8]):
        try:
            analyse_graph(net.model(shape))
        except PackageError:
            continue


def test_real_network(shared_data: Path) -> None:
    weights = shared_data / "bmz_nuclei_broad_dynamic" / "weights.onnx"
    facts = analyse_graph(weights.read_bytes())
    assert [axis.radius_px for axis in facts.axes] == [58, 58]
    assert [axis.stride_px for axis in facts.axes] == [8, 8]
    assert facts.macs_per_px == pytest.approx(35_104)
    assert facts.inputs[0].shape == (None, 1, None, None)


def test_real_network_with_attention(shared_data: Path) -> None:
    weights = shared_data / "ufish_onnx" / "v1.0-alldata-ufish_c32.onnx"
    facts = analyse_graph(weights.read_bytes())
    assert facts.axes[0].unbounded_by == ("GlobalAveragePool", "GlobalMaxPool")
    assert facts.axes[0].stride_px == 4
    assert facts.outputs[0].scale == (1, 1)


def test_real_network_of_fixed_size(shared_data: Path) -> None:
    weights = shared_data / "bmz_nuclei_broad_fixed" / "weights.onnx"
    facts = analyse_graph(weights.read_bytes())
    assert facts.inputs[0].shape == (1, 1, 512, 512)
    assert facts.axes[0].radius_px == 58
