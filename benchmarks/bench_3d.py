"""64×1024×1024 float32 through a small 3D U-Net: the whole process against core's call alone.

The network (about 57 thousand multiplications a voxel) has random weights. core runs its ONNX
weights in blocks of 64×256×256 with a halo of 24 along y and x; along z, where a block holds all,
the package declares none, since core would cut the stack into four blocks for it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tifffile
import torch
import yaml
from timing import LIMIT_CORE, SCOPEZOO, Spent, interleaved, print_table, told, whole_process
from torch import nn

from scopezoo.predict import Engine
from scopezoo.store import open_package

SHAPE = (64, 1024, 1024)
HALO_PX = 24
ROUNDS = 1
CORE = (
    LIMIT_CORE
    + """
import sys, time, json
import numpy as np
from bioimageio.core import create_prediction_pipeline, load_description
from bioimageio.core.digest_spec import create_sample_for_model
model, image, out = sys.argv[1:]
description = load_description(model)
with create_prediction_pipeline(description, weight_format="onnx") as pipeline:
    sample = create_sample_for_model(description, inputs={"raw": np.load(image)[None, None]})
    blocks = {"raw": {"batch": 1, "channel": 1, "z": 64, "y": 256, "x": 256}}
    wall, cpu = time.perf_counter(), time.process_time()
    result = pipeline.predict_sample_with_fixed_blocking(sample, blocks)
    spent = [time.perf_counter() - wall, time.process_time() - cpu]
np.save(out, result.members["out"].data.values[0, 0])
print(json.dumps(spent))
"""
)


class UNet3D(nn.Module):
    """Two poolings, 16 to 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.top, self.middle, self.bottom = block(1, 16), block(16, 32), block(32, 64)
        self.up_middle, self.up_top = block(96, 32), block(48, 16)
        self.out = nn.Conv3d(16, 1, 1)

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        top = self.top(raw)
        middle = self.middle(nn.functional.max_pool3d(top, 2))
        bottom = self.bottom(nn.functional.max_pool3d(middle, 2))
        middle = self.up_middle(torch.cat([twice(bottom), middle], 1))
        return self.out(self.up_top(torch.cat([twice(middle), top], 1)))


def block(channels_in: int, channels_out: int) -> nn.Module:
    first = nn.Conv3d(channels_in, channels_out, 3, padding=1)
    second = nn.Conv3d(channels_out, channels_out, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def twice(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


def write_package(folder: Path) -> None:
    """A package of format 0.5 that core and scopezoo load."""
    torch.manual_seed(0)
    network = UNet3D().eval()
    example = torch.randn(1, 1, 64, 64, 64)
    axes = {2: "z", 3: "y", 4: "x"}
    torch.onnx.export(
        network,
        (example,),
        folder / "weights.onnx",
        dynamo=False,
        opset_version=17,
        input_names=["raw"],
        output_names=["out"],
        dynamic_axes={"raw": axes, "out": axes},
    )
    with torch.no_grad():
        expected = network(example).numpy()
    np.save(folder / "in.npy", example.numpy())
    np.save(folder / "out.npy", expected)
    (folder / "README.md").write_text("# Benchmark\n")
    (folder / "rdf.yaml").write_text(yaml.safe_dump(description()))


def description() -> dict[str, object]:
    free = [
        {"type": "space", "id": axis, "size": {"min": 64, "step": 4}} for axis in ("z", "y", "x")
    ]
    following = [
        {
            "type": "space",
            "id": axis,
            **({} if axis == "z" else {"halo": HALO_PX}),
            "size": {"tensor_id": "raw", "axis_id": axis},
        }
        for axis in ("z", "y", "x")
    ]
    normalise = {
        "id": "zero_mean_unit_variance",
        "kwargs": {"axes": ["channel", "z", "y", "x"]},
    }
    return {
        "format_version": "0.5.9",
        "type": "model",
        "name": "Benchmark U-Net 3D",
        "description": "random weights",
        "authors": [{"name": "scopezoo"}],
        "cite": [{"text": "none", "doi": "10.1007/978-3-319-24574-4_28"}],
        "license": "BSD-3-Clause",
        "documentation": "README.md",
        "inputs": [
            {
                "id": "raw",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": ["raw"]}, *free],
                "test_tensor": {"source": "in.npy"},
                "preprocessing": [normalise],
            }
        ],
        "outputs": [
            {
                "id": "out",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["out"]},
                    *following,
                ],
                "test_tensor": {"source": "out.npy"},
            }
        ],
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 17}},
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model"
        model.mkdir()
        write_package(model)
        pixels = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
        np.save(folder / "image.npy", pixels)
        tifffile.imwrite(folder / "image.tif", pixels, imagej=True, metadata={"axes": "ZYX"})
        small = [SCOPEZOO, "predict", str(model), f"{folder}/image.tif", "--overwrite", "-o"]
        Engine(open_package(model), runtime="openvino").plan((1, 1, *SHAPE))  # measures the halo

        def ours(memory: str) -> Spent:
            command = [*small, f"{folder}/{memory}.tif", "--runtime", "openvino"]
            return whole_process([*command, "--memory", memory])

        sides = {
            "core, ONNX, blocks of 64×256×256": lambda: told(
                CORE, [model, f"{folder}/image.npy", f"{folder}/core.npy"]
            ),
            "scopezoo predict, openvino, 1 GB": lambda: ours("1GB"),
            "scopezoo predict, openvino, --memory 4GB": lambda: ours("4GB"),
        }
        print_table("×".join(map(str, SHAPE)), interleaved(sides, ROUNDS), next(iter(sides)))
        core, found = np.load(folder / "core.npy"), tifffile.imread(folder / "4GB.tif")
        inside = (slice(None), slice(64, -64), slice(64, -64))
        print(f"largest difference, inside: {np.abs(core - found)[inside].max():.2g}")


if __name__ == "__main__":
    main()
