"""Small packages with real ONNX networks, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

STARDIST_RAYS = 8


def convolution(
    name: str, source: str, weights: np.ndarray, pads: Sequence[int] | None = None
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """A same-size convolution unless `pads` says otherwise."""
    kernel = list(weights.shape[2:])
    padding = [k // 2 for k in kernel] * 2 if pads is None else list(pads)
    node = helper.make_node(
        "Conv", [source, f"{name}_w"], [name], kernel_shape=kernel, pads=padding
    )
    return [node], [numpy_helper.from_array(weights.astype(np.float32), f"{name}_w")]


def network(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    inputs: dict[str, Sequence[Any]],
    outputs: dict[str, Sequence[Any]],
) -> bytes:
    """An ONNX file; shapes of inputs and outputs have names for free sizes."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def random_weights(*shape: int, seed: int = 0) -> np.ndarray:
    """Kernels that keep values of the order of one."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))


def encoder_decoder(ndim: int = 2, channels_in: int = 1, channels_out: int = 1) -> bytes:
    """Convolution, max-pool by 2, convolution, nearest up-sampling, convolution, with a skip."""
    free = ["z", "y", "x"][-ndim:]
    kernel = (3,) * ndim
    a, a_w = convolution("a", "raw", random_weights(4, channels_in, *kernel, seed=1))
    pool = helper.make_node("MaxPool", ["a"], ["p"], kernel_shape=[2] * ndim, strides=[2] * ndim)
    b, b_w = convolution("b", "p", random_weights(4, 4, *kernel, seed=2))
    scales = numpy_helper.from_array(np.array([1, 1, *[2] * ndim], np.float32), "scales")
    up = helper.make_node(
        "Resize",
        ["b", "", "scales"],
        ["u"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    skip = helper.make_node("Add", ["a", "u"], ["s"])
    c, c_w = convolution("out", "s", random_weights(channels_out, 4, *kernel, seed=3))
    return network(
        [*a, pool, *b, up, skip, *c],
        [*a_w, *b_w, scales, *c_w],
        {"raw": [1, channels_in, *free]},
        {"out": [1, channels_out, *(f"{axis}_out" for axis in free)]},
    )


def unet(ndim: int = 2, mode: str = "nearest") -> bytes:
    """Two poolings of 8 channels, joined with the skips; a 1×1 convolution after linear ones."""
    kernel, free = (3,) * ndim, ["z", "y", "x"][-ndim:]
    placed = {"nearest": "asymmetric", "linear": "half_pixel"}[mode]
    scales = numpy_helper.from_array(np.array([1, 1, *[2] * ndim], np.float32), "scales")
    nodes: list[onnx.NodeProto] = []
    weights = [scales]

    def conv(name: str, source: str, shape: tuple[int, ...]) -> str:
        made, made_w = convolution(name, source, random_weights(*shape, seed=len(weights)))
        bias = numpy_helper.from_array(random_weights(shape[0], 1)[:, 0].astype(np.float32), name)
        bias.name += "_b"
        made[0].input.append(bias.name)
        nodes.extend(made)
        weights.extend([*made_w, bias])
        return name

    def add(op: str, name: str, *sources: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, sources, [name], **attributes))
        return name

    last, skips = conv("top", "raw", (8, 1, *kernel)), []
    for level in "ab":
        skips.append(add("Relu", f"{level}_skip", last))
        last = add("MaxPool", f"{level}_p", last, kernel_shape=[2] * ndim, strides=[2] * ndim)
        last = conv(level, last, (8, 8, *kernel))
    for level in "ba":
        how = {"mode": mode, "coordinate_transformation_mode": placed, "nearest_mode": "floor"}
        last = add("Resize", f"{level}_u", last, "", "scales", **how)
        if mode == "linear":
            last = conv(f"{level}_mix", last, (8, 8, *(1,) * ndim))
        last = add("Concat", f"{level}_join", last, skips.pop(), axis=1)
        last = add("Relu", f"{level}_up", conv(f"{level}_c", last, (8, 16, *kernel)))
    conv("out", last, (1, 8, *(1,) * ndim))
    return network(
        nodes,
        weights,
        {"raw": [1, 1, *free]},
        {"out": [1, 1, *(f"{axis}_out" for axis in free)]},
    )


def stardist_network() -> bytes:
    """Disc-shaped objects wherever the image is bright: probability is the smoothed intensity.

    The rays are as long as the smoothed intensity says, so that neighbours differ in size.
    """
    blur = np.ones((1, 1, 5, 5)) / 25
    smooth, smooth_w = convolution("smooth", "raw", blur)
    wide, wide_w = convolution("wide", "smooth", np.ones((1, 1, 7, 7)) / 49)
    prob = helper.make_node("Sigmoid", ["wide"], ["prob"])
    rays = np.linspace(5, 8, STARDIST_RAYS).reshape(STARDIST_RAYS, 1, 1, 1)
    dist, dist_w = convolution("dist", "prob", rays, pads=[0, 0, 0, 0])
    join = helper.make_node("Concat", ["prob", "dist"], ["cat"], axis=1)
    last = helper.make_node("Transpose", ["cat"], ["out"], perm=[0, 2, 3, 1])
    return network(
        [*smooth, *wide, prob, *dist, join, last],
        [*smooth_w, *wide_w, *dist_w],
        {"raw": [1, 1, "y", "x"]},
        {"out": [1, "y_out", "x_out", 1 + STARDIST_RAYS]},
    )


def space(axis: str, minimum: int = 8, step: int = 2, **more: Any) -> dict[str, Any]:
    """An input axis of space."""
    return {"type": "space", "id": axis, "size": {"min": minimum, "step": step}, **more}


def follows(axis: str, tensor: str = "raw", **more: Any) -> dict[str, Any]:
    """An output axis of space that follows the input's."""
    return {"type": "space", "id": axis, "size": {"tensor_id": tensor, "axis_id": axis}, **more}


def channels(*names: str) -> dict[str, Any]:
    """A channel axis."""
    return {"type": "channel", "channel_names": list(names)}


BATCH = {"type": "batch", "size": 1}


def description(
    inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    """A description with ONNX weights."""
    return {
        "format_version": "0.5.9",
        "type": "model",
        "name": "small test network",
        "inputs": inputs,
        "outputs": outputs,
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 17}},
        **more,
    }


def image_model(ndim: int = 2, step: int = 2, **output: Any) -> dict[str, Any]:
    """Description of `encoder_decoder`, or with a step of 4 of `unet`: one channel in and out."""
    axes = ["z", "y", "x"][-ndim:]
    free = [space(axis, step=step) for axis in axes]
    return description(
        [{"id": "raw", "axes": [BATCH, channels("signal"), *free]}],
        [{"id": "out", "axes": [BATCH, channels("result"), *map(follows, axes)], **output}],
    )


def label_model(prob_threshold: float = 0.55) -> dict[str, Any]:
    """Description of `stardist_network`."""
    decode = {
        "id": "stardist_postprocessing",
        "kwargs": {
            "prob_threshold": prob_threshold,
            "nms_threshold": 0.3,
            "n_rays": STARDIST_RAYS,
            "grid": [1, 1],
            "b": 2,
        },
    }
    axes = [BATCH, follows("y"), follows("x"), channels("label")]
    return description(
        [{"id": "raw", "axes": [BATCH, channels("signal"), space("y", 8, 1), space("x", 8, 1)]}],
        [{"id": "out", "axes": axes, "postprocessing": [decode]}],
    )


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 # PyYAML's own protocol
        return True


def write_package(folder: Path, rdf: dict[str, Any], weights: bytes) -> Path:
    """Write a package and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rdf.yaml").write_text(yaml.dump(rdf, Dumper=_NoAliases, sort_keys=False))
    (folder / "weights.onnx").write_bytes(weights)
    return folder
