"""A torch network as ONNX and traced TorchScript, the same bytes for the same network."""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from scopezoo.errors import PackageError
from scopezoo.packaging.child import run_module

if TYPE_CHECKING:
    import torch

OPSET = 17
"""What onnxruntime 1.13, deepImageJ's, still loads (IR 8)."""


def export_onnx(
    network: torch.nn.Module, example: torch.Tensor, input_axes: str, output_axes: str
) -> bytes:
    """One ONNX file of a network with one input and one output; all axes but c are free.

    Its tensors are named "input" and "output". `example` has `input_axes`, letters as in
    `metadata.AXIS_IDS`. Raises PackageError where the network cannot be exported.
    """
    import torch

    dynamic = {
        name: {i: letter for i, letter in enumerate(axes) if letter != "c"}
        for name, axes in (("input", input_axes), ("output", output_axes))
    }
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            # torch calls this exporter outdated; its successor writes what old runtimes refuse.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (example,),
                file,  # type: ignore[arg-type] # the old exporter takes files, the stubs do not
                dynamo=False,
                opset_version=OPSET,
                input_names=["input"],
                output_names=["output"],
                dynamic_axes=dynamic,
            )
    except Exception as error:  # the exporter raises whatever an operator's converter raises
        line = " ".join(str(error).split())[:300]
        raise PackageError(f"the network cannot be exported as ONNX: {line}") from error
    return file.getvalue()


def export_torchscript(network: torch.nn.Module, example: torch.Tensor) -> bytes:
    """The network traced with `example`; torch 2.0 still loads it.

    Traced in a fresh process, for torch numbers the classes that it has traced before.
    Raises PackageError where the network cannot be traced.
    """
    import torch

    with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
        given, traced = Path(folder) / "network.pt", Path(folder) / "traced.pt"
        torch.save((network, example), given)
        run_module("scopezoo.packaging.trace", [str(given), str(traced)])
        return traced.read_bytes()
