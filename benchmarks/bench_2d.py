"""4096² float32 through a 2D U-Net: the whole `scopezoo predict` process against core's call alone.

core runs with ONNX weights in blocks of 352 (its blocksize_parameter 10) with the package's own
halo of 32. Prints the largest difference to the whole-image result too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tifffile
from timing import LIMIT_CORE, MODEL, SCOPEZOO, Spent, interleaved, print_table, told, whole_process

SIZE = 4096
ROUNDS = 3
CORE = (
    LIMIT_CORE
    + """
import sys, time, json
import numpy as np
from bioimageio.core import create_prediction_pipeline, load_description
from bioimageio.core.digest_spec import create_sample_for_model
model, image, blocks, out = sys.argv[1:]
description = load_description(model)
with create_prediction_pipeline(description, weight_format="onnx") as pipeline:
    pixels = np.load(image)[None, None]
    sample = create_sample_for_model(description, inputs={"raw": pixels})
    wall, cpu = time.perf_counter(), time.process_time()
    result = pipeline.predict_sample_with_blocking(sample, ns=int(blocks))
    spent = [time.perf_counter() - wall, time.process_time() - cpu]
np.save(out, result.members["probability"].data.values[0, 0])
print(json.dumps(spent))
"""
)


def image() -> np.ndarray:
    """A field of simulated nuclei with noise."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(SIZE // 16, SIZE // 16)).astype(np.float32)
    blobs = np.kron(coarse, np.ones((16, 16), np.float32))
    return blobs + 0.3 * rng.normal(size=blobs.shape).astype(np.float32)


def main() -> None:
    from scopezoo.predict.engine import Engine
    from scopezoo.store import open_package

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = image()
        np.save(folder / "image.npy", pixels)
        tifffile.imwrite(folder / "image.tif", pixels)
        engine = Engine(open_package(MODEL), memory_bytes=10**11)
        whole = engine.predict_sample({"raw": pixels[None, None]})["probability"][0, 0]
        whole_process(
            [SCOPEZOO, "predict", str(MODEL), f"{folder}/image.tif", "-o", f"{folder}/warm.tif"]
        )
        for cpus in ([0], [0, 1]):
            compare(folder, whole, cpus)


def compare(folder: Path, whole: np.ndarray, cpus: list[int]) -> None:
    def ours(*options: str) -> Spent:
        command = [SCOPEZOO, "predict", str(MODEL), f"{folder}/image.tif", "--overwrite"]
        return whole_process(
            [*command, "-o", f"{folder}/ours{''.join(options)}.tif", *options], cpus
        )

    def core(blocks: str) -> Spent:
        return told(
            CORE, [MODEL, f"{folder}/image.npy", blocks, f"{folder}/core{blocks}.npy"], cpus
        )

    bf16 = ("--precision", "bf16")
    sides = {
        "core, ONNX, blocks of 352": lambda: core("10"),
        "scopezoo predict": ours,
        "scopezoo predict --memory 2GB": lambda: ours("--memory", "2GB"),
        "scopezoo predict --precision bf16": lambda: ours(*bf16),
    }
    spent = interleaved(sides, ROUNDS)
    print_table(f"{SIZE}² float32, {len(cpus)} thread(s)", spent, "core, ONNX, blocks of 352")
    results = {
        "core, blocks of 352": np.load(folder / "core10.npy"),
        "scopezoo": tifffile.imread(folder / "ours.tif"),
        "scopezoo bf16": tifffile.imread(folder / f"ours{''.join(bf16)}.tif"),
    }
    for name, result in results.items():
        difference = np.abs(result - whole)
        inside = difference[64:-64, 64:-64].max()
        print(f"difference to the whole, {name}: {difference.max():.2g} ({inside:.2g} inside)")


if __name__ == "__main__":
    main()
