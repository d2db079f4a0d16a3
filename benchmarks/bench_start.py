"""One 256² TIFF and `--help`: whole processes against core's command line."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from timing import MODEL, SCOPEZOO, interleaved, print_table, whole_process

BIOIMAGEIO = str(Path(sys.executable).with_name("bioimageio"))
ROUNDS = 7


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
        tifffile.imwrite(folder / "image.tif", pixels)
        tifffile.imwrite(folder / "for_core.tif", pixels[None, None])
        ours = [SCOPEZOO, "predict", str(MODEL), f"{folder}/image.tif", "--overwrite"]
        core = [BIOIMAGEIO, "predict", str(MODEL), "--inputs", f"{folder}/for_core.tif"]
        core += ["--outputs", f"{folder}/core.tif", "--overwrite", "--weight_format", "onnx"]
        sides = {
            "bioimageio predict, ONNX": lambda: whole_process(core),
            "scopezoo predict": lambda: whole_process([*ours, "-o", f"{folder}/ours.tif"]),
        }
        print_table("256² TIFF", interleaved(sides, ROUNDS), "bioimageio predict, ONNX")
        sides = {
            "bioimageio --help": lambda: whole_process([BIOIMAGEIO, "--help"]),
            "scopezoo --help": lambda: whole_process([SCOPEZOO, "--help"]),
        }
        print_table("--help", interleaved(sides, ROUNDS), "bioimageio --help")


if __name__ == "__main__":
    main()
