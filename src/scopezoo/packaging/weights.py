"""The weights of a package in all their formats, and how the description names them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from scopezoo.packaging.architecture import one_file_source
from scopezoo.packaging.export import OPSET, export_onnx, export_torchscript
from scopezoo.packaging.metadata import Metadata
from scopezoo.packaging.origin import STATE_DICT, Origin, TorchNetwork
from scopezoo.store.files import sha256

ONNX = "weights.onnx"
TORCHSCRIPT = "weights_torchscript.pt"
ARCHITECTURE = "network.py"
ENVIRONMENT = "environment.yaml"
FLOAT_TYPES = (1, 10, 11)
"""float32, float16 and float64 among `onnx.TensorProto.DataType`."""
FRAMEWORKS = {"pytorch": "pytorch", "tf2onnx": "tensorflow", "keras2onnx": "tensorflow"}
"""The zoo's tag by the `producer_name` of an ONNX file."""
EXAMPLE_PX = {"z": 16, "y": 64, "x": 64}


@dataclass(frozen=True)
class PackagedWeights:
    """Files by name, and the `weights` of the description; `source_sha256` is what they are from.

    `entries` has the weights that the others were made from first. `framework` is the zoo's tag for
    what the network was trained with, where that is known.
    """

    files: Mapping[str, bytes]
    entries: Mapping[str, Mapping[str, Any]]
    source_sha256: str
    parameters: int
    framework: str | None

    @property
    def onnx(self) -> bytes:
        return self.files[ONNX]


def make_weights(origin: Origin, *, torchscript: bool) -> PackagedWeights:
    """Export what can be exported. Raises PackageError where that fails."""
    if origin.torch is not None:
        return _from_torch(origin.torch, origin.metadata, torchscript)
    assert origin.onnx is not None
    return _from_onnx(origin.onnx)


def _from_onnx(content: bytes) -> PackagedWeights:
    from scopezoo.predict.graph.read import read_model

    model = read_model(content)
    opsets = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    entry = {
        "source": ONNX,
        "sha256": sha256(content),
        "opset_version": max(opsets, default=1),
    }
    return PackagedWeights(
        {ONNX: content},
        {"onnx": entry},
        sha256(content),
        parameters=sum(
            prod(weights.dims)
            for weights in model.graph.initializer
            if weights.data_type in FLOAT_TYPES
        ),
        framework=FRAMEWORKS.get(model.producer_name),
    )


def _from_torch(given: TorchNetwork, metadata: Metadata, torchscript: bool) -> PackagedWeights:
    import torch

    version = torch.__version__.split("+")[0]
    axes = metadata.inputs[0].axes
    sizes = {"c": len(metadata.inputs[0].channel_names) or 1, **EXAMPLE_PX}
    example = torch.zeros([sizes.get(letter, 1) for letter in axes])
    files = {
        STATE_DICT: given.state_dict,
        ARCHITECTURE: one_file_source(given.module_name),
        ENVIRONMENT: _environment(version, metadata),
        ONNX: export_onnx(given.network, example, axes, metadata.outputs[0].axes),
    }
    entries: dict[str, dict[str, Any]] = {
        "pytorch_state_dict": {
            **_file(STATE_DICT, files),
            "architecture": {
                "callable": given.callable,
                **_file(ARCHITECTURE, files),
                "kwargs": dict(given.arguments),
            },
            "pytorch_version": version,
            "dependencies": _file(ENVIRONMENT, files),
        },
        "onnx": {**_file(ONNX, files), "opset_version": OPSET, "parent": "pytorch_state_dict"},
    }
    if torchscript:
        files[TORCHSCRIPT] = export_torchscript(given.network, example)
        entries["torchscript"] = {
            **_file(TORCHSCRIPT, files),
            "pytorch_version": version,
            "parent": "pytorch_state_dict",
        }
    return PackagedWeights(
        files,
        entries,
        sha256(given.state_dict + files[ARCHITECTURE]),
        parameters=sum(parameter.numel() for parameter in given.network.parameters()),
        framework="pytorch",
    )


def _file(name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": sha256(files[name])}


def _environment(torch_version: str, metadata: Metadata) -> bytes:
    """Conda environment in which the state dict runs, for tools that build one (YAML)."""
    steps = {step.id for output in metadata.outputs for step in output.postprocessing}
    packages = [f"pytorch=={torch_version}", "bioimageio.core"]
    packages += ["stardist"] if "stardist_postprocessing" in steps else []
    lines = [f"  - {json.dumps(package)}" for package in packages]
    head = ["channels:", "  - conda-forge", "  - nodefaults", "dependencies:"]
    return "\n".join([*head, *lines, ""]).encode()
