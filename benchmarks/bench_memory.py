"""OME-Zarr to OME-Zarr, 16384² uint16: peak memory over that of the process on a 512² image."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from timing import MODEL, SCOPEZOO

SIZE = 16384


def write_image(path: Path, size: int) -> None:
    from scopezoo.formats import create_image

    writer = create_image(path, shape=(size, size), dtype=np.uint16, axes="YX")
    rng = np.random.default_rng(0)
    step = min(size, 2048)
    for y in range(0, size, step):
        for x in range(0, size, step):
            block = rng.poisson(200, (step, step)).astype(np.uint16)
            writer[y : y + step, x : x + step] = block
    writer.close()


def peak_mb(command: list[str]) -> tuple[float, float]:
    """(largest resident memory in MB, seconds) of a command, run by a process of its own."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000)"
    )
    started = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
    )
    return float(told.stdout), time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"\nzarr to zarr, {SIZE}² uint16\n\n| image | peak MB | s |\n|---|---|---|")
        peaks = {}
        for size in (512, SIZE):
            write_image(folder / f"{size}.ome.zarr", size)
            command = [SCOPEZOO, "predict", str(MODEL), f"{folder}/{size}.ome.zarr", "--quiet"]
            peaks[size], seconds = peak_mb([*command, "-o", f"{folder}/out{size}.ome.zarr"])
            print(f"| {size}² | {peaks[size]:.0f} | {seconds:.1f} |", flush=True)
        print(
            f"\nover the model's own: {peaks[SIZE] - peaks[512]:.0f} MB; the image itself has "
            f"{SIZE**2 * 2 / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
