"""Times a package's network: `python -m scopezoo.packaging.inference PACKAGE` prints JSON."""

from __future__ import annotations

import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from scopezoo.packaging.figures import Inference
from scopezoo.predict.runtimes import cpu_count, load_runtime
from scopezoo.store.package import Package, open_package
from scopezoo.store.tensors import Axis, FixedSize, SteppedSize, Tensor

SIZE_PX = {2: {"y": 1024, "x": 1024}, 3: {"z": 32, "y": 256, "x": 256}}
RUNS = 3
RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def main() -> None:
    """Load the network, run it some times on one large input, and print the figures."""
    package = open_package(Path(sys.argv[1]))
    rng = np.random.default_rng(0)
    inputs = [
        rng.random(_shape(package, tensor)).astype(tensor.dtype)
        for tensor in package.description.inputs
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    runtime = load_runtime(package, runtime="onnxruntime")
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        runtime.run(inputs)
        times.append(time.perf_counter() - started)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = Inference(
        runtime="onnxruntime",
        version=runtime.version,
        processor=_processor(),
        threads=cpu_count(),
        input_shape=inputs[0].shape,
        time_s=round(statistics.median(times), 3),
        peak_memory_bytes=(after - before) * RSS_UNIT_BYTES,
    )
    print(figures.model_dump_json())


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


def _processor() -> str:
    """The processor's model name, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
