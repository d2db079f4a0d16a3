"""Times a package: `python -m scopezoo.packaging.inference PACKAGE` prints the figures as JSON."""

from __future__ import annotations

import io
import platform
import re
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.packaging.figures import Inference
from scopezoo.predict.engine import Engine
from scopezoo.predict.machine import cpu_count, give_memory_back
from scopezoo.store.package import Package, open_package
from scopezoo.store.tensors import Axis, FixedSize, SteppedSize, Tensor

SIZE_PX = {2: {"y": 1024, "x": 1024}, 3: {"z": 32, "y": 256, "x": 256}}
RUNS = 3
ONE_TILE_BYTES = 1 << 40
"""Enough for the engine to run the image whole, which is what the figures are of."""


def main() -> None:
    """Predict a large image, made of the test input, some times over, and print the figures."""
    package = open_package(Path(sys.argv[1]))
    small = {tensor.id: _test_input(package, tensor) for tensor in package.description.inputs}
    large = {
        tensor.id: _enlarged(small[tensor.id], _shape(package, tensor))
        for tensor in package.description.inputs
    }
    # Imports and just-in-time compilation belong to the program.
    Engine(package, runtime="onnxruntime").predict_sample(small)
    give_memory_back()
    before = _peak_bytes(reset=True)
    engine = Engine(package, runtime="onnxruntime", memory_bytes=ONE_TILE_BYTES)
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        engine.predict_sample(large)
        times.append(time.perf_counter() - started)
    figures = Inference(
        runtime="onnxruntime",
        version=engine.runtime.version,
        processor=_processor(),
        threads=cpu_count(),
        input_shape=next(iter(large.values())).shape,
        time_s=float(f"{statistics.median(times):.3g}"),
        peak_memory_bytes=_peak_bytes(reset=False) - before,
    )
    print(figures.model_dump_json())


def _test_input(package: Package, tensor: Tensor) -> NDArray[Any]:
    assert tensor.test_tensor is not None
    content = package.read(tensor.test_tensor)
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def _enlarged(array: NDArray[Any], shape: list[int]) -> NDArray[Any]:
    """The array, mirrored at its far edges up to `shape`."""
    padding = [(0, max(0, to - size)) for size, to in zip(array.shape, shape, strict=True)]
    return np.pad(array, padding, mode="symmetric")


def _shape(package: Package, tensor: Tensor) -> list[int]:
    """A large legal shape; further inputs have the first one's sizes."""
    first = package.description.inputs[0]
    wanted = SIZE_PX[max(2, len(first.space))]

    def size(axis: Axis) -> int:
        source = first.axis(axis.id) if axis.id in first.axis_ids else axis
        found = axis.size if isinstance(axis.size, FixedSize) else source.size
        if isinstance(found, FixedSize):
            return found.size
        assert isinstance(found, SteppedSize)
        more = max(0, wanted.get(axis.id, found.minimum) - found.minimum)
        return found.minimum + more // found.step * found.step

    return [size(axis) for axis in tensor.axes]


def _peak_bytes(*, reset: bool) -> int:
    """Peak memory of this process; with `reset` since now, where the system can (Linux)."""
    status = Path("/proc/self/status")
    if status.exists():
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert found is not None
        return int(found[1]) * 1024
    import resource

    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes


def _processor() -> str:
    """The processor's model name, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
