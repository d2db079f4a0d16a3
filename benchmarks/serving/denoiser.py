"""A package of the size that labs denoise with: a 2D U-Net of two poolings and 16 channels."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn


class Denoiser(nn.Module):
    """About 7 thousand multiplications a pixel; its weights are random."""

    def __init__(self) -> None:
        super().__init__()
        self.top, self.middle, self.bottom = block(1, 16), block(16, 32), block(32, 64)
        self.up_middle, self.up_top = block(96, 32), block(48, 16)
        self.out = nn.Conv2d(16, 1, 1)

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        top = self.top(raw)
        middle = self.middle(nn.functional.max_pool2d(top, 2))
        bottom = self.bottom(nn.functional.max_pool2d(middle, 2))
        middle = self.up_middle(torch.cat([twice(bottom), middle], 1))
        return self.out(self.up_top(torch.cat([twice(middle), top], 1)))


def block(channels_in: int, channels_out: int) -> nn.Module:
    first = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    second = nn.Conv2d(channels_out, channels_out, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def twice(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


def write_package(folder: Path) -> Path:
    """A package of format 0.5 that scopezoo serves."""
    folder.mkdir()
    torch.manual_seed(0)
    axes = {2: "y", 3: "x"}
    torch.onnx.export(
        Denoiser().eval(),
        (torch.randn(1, 1, 64, 64),),
        folder / "weights.onnx",
        dynamo=False,
        opset_version=17,
        input_names=["raw"],
        output_names=["out"],
        dynamic_axes={"raw": axes, "out": axes},
    )
    outer = [{"type": "batch"}, {"type": "channel", "channel_names": ["signal"]}]
    free = [{"type": "space", "id": axis, "size": {"min": 64, "step": 4}} for axis in "yx"]
    following = [
        {"type": "space", "id": axis, "size": {"tensor_id": "raw", "axis_id": axis}}
        for axis in "yx"
    ]
    description = {
        "format_version": "0.5.9",
        "type": "model",
        "id": "benchmark-denoiser",
        "name": "Benchmark denoiser",
        "inputs": [{"id": "raw", "axes": [*outer, *free]}],
        "outputs": [{"id": "out", "axes": [*outer, *following]}],
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 17}},
    }
    (folder / "rdf.yaml").write_text(json.dumps(description))  # JSON is YAML
    return folder
