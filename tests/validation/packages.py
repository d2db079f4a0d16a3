"""A small good package, and ways to spoil it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

Files = dict[str, bytes]
Rdf = dict[str, Any]

CARD = b"# A smoothing filter\n\n# Validation\nOn noise, by eye.\n"
SIZE = 40


def kernel(size: int = 5) -> NDArray[np.float32]:
    """An uneven kernel, so that a shifted or mirrored result is a wrong one."""
    weights = np.random.default_rng(0).random((1, 1, size, size), dtype=np.float32)
    return weights / weights.sum()


def network(
    nodes: list[onnx.NodeProto] | None = None,
    initializers: Mapping[str, NDArray[Any]] | None = None,
    shape: tuple[Any, ...] = ("b", 1, "y", "x"),
    opset: int = 17,
) -> onnx.ModelProto:
    """An ONNX model from `raw` to `smooth`; without nodes a 5×5 filter of the same size."""
    if nodes is None:
        nodes = [helper.make_node("Conv", ["raw", "w"], ["smooth"], pads=[2, 2, 2, 2])]
        initializers = {"w": kernel()}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("raw", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("smooth", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in (initializers or {}).items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


def npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def png(width: int = 16, height: int = 16) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (40, 90, 160)).save(stream, "PNG")
    return stream.getvalue()


def noise_image(size: int = SIZE) -> NDArray[np.float32]:
    """float32, BCYX."""
    return np.random.default_rng(1).random((1, 1, size, size), dtype=np.float32)


def smoothed(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the 5×5 network makes of an image; zeros beyond its border."""
    padded = np.pad(image[0, 0], 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    result = np.einsum("yxij,ij->yx", windows, kernel()[0, 0])
    return result[None, None].astype(np.float32)


def good_files() -> Files:
    return {
        "weights.onnx": network().SerializeToString(),
        "in.npy": npy(noise_image()),
        "out.npy": npy(smoothed(noise_image())),
        "cover.png": png(),
        "README.md": CARD,
    }


def space(identity: str, size: Any, halo: int | None = None) -> Rdf:
    axis = {"type": "space", "id": identity, "size": size}
    return axis if halo is None else {**axis, "halo": halo}


def good_rdf() -> Rdf:
    """Format 0.5.9 in the form that deepImageJ reads; the network sees 2 px, as declared."""
    channel = {"type": "channel", "channel_names": ["grey"]}
    stepped = {"min": 8, "step": 1}
    return {
        "format_version": "0.5.9",
        "type": "model",
        "name": "Smoothing filter",
        "description": "A fixed filter that stands for a network.",
        "authors": [{"name": "A. Author"}],
        "cite": [{"text": "A work", "doi": "10.1007/978-3-319-24574-4_28"}],
        "git_repo": "https://example.com/filter",
        "license": "MIT",
        "version": "1.2.0",
        "tags": ["filter"],
        "documentation": "README.md",
        "covers": ["cover.png"],
        "inputs": [
            {
                "id": "raw",
                "axes": [{"type": "batch"}, channel, space("y", stepped), space("x", stepped)],
                "test_tensor": {"source": "in.npy"},
                "data": {"type": "float32"},
            }
        ],
        "outputs": [
            {
                "id": "smooth",
                "axes": [
                    {"type": "batch"},
                    channel,
                    space("y", {"tensor_id": "raw", "axis_id": "y"}, 2),
                    space("x", {"tensor_id": "raw", "axis_id": "x"}, 2),
                ],
                "test_tensor": {"source": "out.npy"},
                "data": {"type": "float32"},
            }
        ],
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 17}},
        "training_data": {"id": "some-dataset"},
    }


def seal(rdf: Rdf, files: Files) -> None:
    """State the hash of every file that the description names by a mapping."""

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            source = value.get("source")
            if isinstance(source, str) and source in files and "sha256" not in value:
                value["sha256"] = hashlib.sha256(files[source]).hexdigest()
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)

    visit(rdf)


def package_files(change: Callable[[Rdf, Files], None] | None = None) -> Files:
    """The files of the good package after `change` spoiled it."""
    rdf, files = good_rdf(), good_files()
    if change is not None:
        change(rdf, files)
    seal(rdf, files)
    files.setdefault("rdf.yaml", json.dumps(rdf).encode())  # JSON is YAML, and has no aliases
    return files


def write_folder(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
