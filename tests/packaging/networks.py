"""Small ONNX files for the tests, made node by node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

METADATA = {
    "name": "Blur of a test",
    "description": "Averages neighbours.",
    "authors": [{"name": "A. Author", "github_user": "bioimageiobot"}],
    "cite": [{"text": "Nobody, 2026", "url": "https://example.com"}],
    "license": "MIT",
    "tags": ["cells"],
    "task": "denoising",
    "modality": "fluorescence microscopy",
    "intended_use": "Tests.",
    "limitations": "Everything else.",
    "inputs": [{"axes": "bcyx", "test": {"simulate": "nuclei", "size_px": {"y": 96, "x": 96}}}],
    "outputs": [{"axes": "bcyx"}],
}


def blur(
    *, size: int | None = None, stride: int = 1, pad: int = 1, channels: int | None = 1
) -> bytes:
    """A mean over 3×3 pixels (b, c, y, x); `size` None leaves y and x free."""
    count = channels or 1
    weights = np.full((count, count, 3, 3), 1 / 9 / count, np.float32)
    spatial = [size, size] if size else ["y", "x"]
    node = helper.make_node(
        "Conv", ["raw", "kernel"], ["Smooth Image"], pads=[pad] * 4, strides=[stride] * 2
    )
    graph = helper.make_graph(
        [node],
        "blur",
        [helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["b", channels, *spatial])],
        [
            helper.make_tensor_value_info(
                "Smooth Image", TensorProto.FLOAT, ["b", channels, "out_y", "out_x"]
            )
        ],
        [numpy_helper.from_array(weights, "kernel")],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="pytorch"
    )
    model.ir_version = 8
    return model.SerializeToString()


def with_external_data(content: bytes) -> bytes:
    """The same file with its weights said to be in another one."""
    model = onnx.load_from_string(content)
    kernel = model.graph.initializer[0]
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    entry = kernel.external_data.add()
    entry.key, entry.value = "location", "weights.bin"
    return model.SerializeToString()


def onnx_folder(folder: Path, content: bytes, **changes: object) -> Path:
    """A folder with an ONNX file and its metadata; a change to None leaves the key out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "blur.onnx").write_bytes(content)
    metadata = {k: v for k, v in {**METADATA, **changes}.items() if v is not None}
    (folder / "package.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))
    return folder
