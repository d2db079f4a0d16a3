"""What the server and its models say of themselves in the protocol's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import scopezoo
from scopezoo.errors import ModelNotFoundError
from scopezoo.predict.geometry import legal_sizes
from scopezoo.serving.v2.signature import NetworkTensor, Signature
from scopezoo.store.description import Description
from scopezoo.store.tensors import ReferenceSize, SteppedSize, Tensor

ONLY_VERSION = "1"
"""Asks for whatever version of the package the server has."""
EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository(index)", "parameters")


def server_metadata() -> dict[str, Any]:
    """The answer of `/v2`."""
    return {
        "name": "scopezoo",
        "version": scopezoo.__version__,
        "extensions": list(EXTENSIONS),
    }


def version_of(description: Description) -> str:
    """The package's own version, or "1"."""
    return description.version or ONLY_VERSION


def check_version(description: Description, model: str, version: str | None) -> None:
    """Raise ModelNotFoundError for another version than the one that is here."""
    if version not in (None, ONLY_VERSION, version_of(description)):
        raise ModelNotFoundError(
            f"no version {str(version)[:40]!r} of {model}; here is {version_of(description)}"
        )


def model_metadata(model: str, description: Description, signature: Signature) -> dict[str, Any]:
    """The answer of `/v2/models/{model}`."""
    return {
        "name": model,
        "versions": [version_of(description)],
        "platform": signature.platform,
        "inputs": [_tensor_metadata(tensor) for tensor in signature.inputs],
        "outputs": [_tensor_metadata(tensor) for tensor in signature.outputs],
    }


def _tensor_metadata(tensor: NetworkTensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def model_config(model: str, description: Description, signature: Signature) -> dict[str, Any]:
    """The answer of `/config`: what of Triton's ModelConfig applies, with every dimension in
    `dims`, and as parameters the axes and their legal sizes."""
    tensors = (*description.inputs, *description.outputs)
    return {
        "name": model,
        "platform": signature.platform,
        "backend": signature.platform.partition("_")[0],
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": 0,
        "input": [
            {**_tensor_config(tensor), "optional": tensor.optional} for tensor in signature.inputs
        ],
        "output": [_tensor_config(tensor) for tensor in signature.outputs],
        "parameters": {
            **{f"{t.id}.axes": _text(t.axis_ids) for t in tensors},
            **{f"{t.id}.sizes": _text(_sizes(t)) for t in description.inputs},
        },
    }


def _tensor_config(tensor: NetworkTensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "data_type": f"TYPE_{tensor.datatype}",
        "dims": list(tensor.shape),
    }


def _text(words: Sequence[str]) -> dict[str, str]:
    return {"string_value": ",".join(words)}


def _sizes(tensor: Tensor) -> list[str]:
    """By axis: 208+16n, 3, =raw.y, or any."""
    found = []
    for axis in tensor.axes:
        minimum, step = legal_sizes(axis)
        if isinstance(axis.size, ReferenceSize):
            found.append(f"={axis.size.tensor}.{axis.size.axis}")
        elif isinstance(axis.size, SteppedSize):
            found.append(f"{minimum}+{step}n")
        else:
            found.append("any" if step else str(minimum))
    return found


def repository_index(
    models: Sequence[tuple[str, Description, str]], only_ready: bool
) -> list[dict[str, str]]:
    """The answer of `/v2/repository/index` for (id, description, state) of each model."""
    entries = [
        {
            "name": model,
            "version": version_of(description),
            "state": "UNAVAILABLE" if state == "failed" else "READY",
            "reason": "its weights cannot be loaded" if state == "failed" else "",
        }
        for model, description, state in models
    ]
    return [entry for entry in entries if not only_ready or entry["state"] == "READY"]
