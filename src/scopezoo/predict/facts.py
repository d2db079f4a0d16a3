"""What tiling needs to know of a network: strides, receptive radius, memory, needed halo.

Found once per network and kept in the user's cache, by the hash of the weights.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scopezoo.predict.geometry import Geometry, legal_sizes
from scopezoo.predict.halo import AxisHalo, SpaceAxis, measure_halo
from scopezoo.predict.probes import TensorLayout
from scopezoo.predict.runtimes import Runtime, load_runtime
from scopezoo.predict.tiles import AxisRule
from scopezoo.store.cache import cache_folder
from scopezoo.store.files import sha256
from scopezoo.store.package import Package
from scopezoo.store.tensors import Axis, FixedSize

if TYPE_CHECKING:
    from scopezoo.predict.graph import GraphFacts
    from scopezoo.predict.graph.survey import AxisFacts

FACTS_VERSION = 5
"""Kept facts of another version are found anew."""
UNKNOWN_BYTES_PER_PX = 4000.0
"""Taken where the graph does not tell: more than the networks of microscopy need."""
UNKNOWN_STRIDE = 32
KEEP_MEMORY = ("onnxruntime", "openvino")
MEMORY_TEST_PX = {2: 768, 3: 112}
"""Side of the image, by axes of space, on which the memory of a run is measured."""
MEASURED_FACTOR = 1.1
"""Room over what was measured."""


@dataclass(frozen=True)
class NetworkFacts:
    """By axis id of the first input, in its pixels; see HaloChoice for `halo` and `radius`.

    `halo_error` has the largest error that was measured for each halo in px.
    `bytes_per_px` is the memory of a run per pixel of the first input.
    """

    strides: Mapping[str, int]
    radius: Mapping[str, int | None]
    halo: Mapping[str, int | None]
    halo_error: Mapping[str, Mapping[str, float]]
    bytes_per_px: float


def network_facts(package: Package, geometry: Geometry, runtime: Runtime) -> NetworkFacts:
    """The facts of the runtime's network: from the cache, or found now, in seconds."""
    kept = cache_folder() / "networks" / f"{_key(geometry, runtime)}.json"
    try:
        stored = json.loads(kept.read_text())
        if stored.pop("facts_version") == FACTS_VERSION:
            return NetworkFacts(**stored)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or damaged: found anew
    facts = _find(package, geometry, runtime)
    _keep(kept, facts)
    return facts


def _key(geometry: Geometry, runtime: Runtime) -> str:
    """What the facts depend on: weights, runtime, and what the description says of sizes."""
    run_by = f"{runtime.name} {runtime.version} {runtime.device} {runtime.precision}"
    return sha256(f"{runtime.weights_sha256} {run_by} {geometry}".encode())


def _keep(path: Path, facts: NetworkFacts) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({**asdict(facts), "facts_version": FACTS_VERSION}))
        unfinished.replace(path)
    except OSError:  # a cache that cannot be written only costs time
        with contextlib.suppress(OSError):
            unfinished.unlink()


def _find(package: Package, geometry: Geometry, runtime: Runtime) -> NetworkFacts:
    graph = _graph(package, geometry)
    space = [
        _space_axis(axis, geometry, None if graph is None else graph.axes[i])
        for i, axis in enumerate(geometry.axes)
    ]
    bytes_per_px = _bytes_per_px(package, geometry, runtime, graph)
    exact = runtime
    if runtime.precision != "float32":  # whose rounding would be taken for a need of halo
        exact = load_runtime(package, runtime="onnxruntime")
    found = measure_halo(exact.run, *_layouts(package, geometry), space).axes
    return NetworkFacts(
        strides={axis.id: axis.grid_px for axis in space},
        radius={axis.id: axis.radius_px for axis in space},
        halo={axis.id: _needed(found[axis.id]) for axis in space},
        halo_error={
            axis.id: {str(px): error for px, error in found[axis.id].error_at.items()}
            for axis in space
        },
        bytes_per_px=bytes_per_px,
    )


def _needed(found: AxisHalo) -> int | None:
    """What was measured, or its upper bound: a network that never comes within the tolerance."""
    return found.radius_px if found.needed_px is None else found.needed_px


def _bytes_per_px(
    package: Package, geometry: Geometry, runtime: Runtime, graph: GraphFacts | None
) -> float:
    """Measured where that can be done, else what the graph says with room for every runtime."""
    from scopezoo.predict.graph import MEMORY_FACTOR

    measured = _measured_bytes_per_px(package, geometry, runtime)
    if graph is None or graph.activation_bytes_per_px is None:
        return max(UNKNOWN_BYTES_PER_PX, measured or 0)
    if measured is None:
        return graph.activation_bytes_per_px * MEMORY_FACTOR
    return max(measured, graph.activation_bytes_per_px) * MEASURED_FACTOR


def _measured_bytes_per_px(package: Package, geometry: Geometry, runtime: Runtime) -> float | None:
    """What a first run of the network takes and keeps; None where that cannot be seen.

    onnxruntime and OpenVINO keep what they once took, so that resident memory shows the peak.
    """
    before = resident_bytes()
    if before is None or runtime.name not in KEEP_MEMORY or runtime.device != "cpu":
        return None
    fresh = load_runtime(package, runtime=runtime.name, precision=runtime.precision)
    inputs, _ = _layouts(package, geometry)
    wanted = MEMORY_TEST_PX[min(3, max(2, len(package.description.inputs[0].space)))]
    extent = {}
    for axis in geometry.axes:
        minimum, step = legal_sizes(axis)
        extent[axis.id] = (
            AxisRule(minimum, step, max(1, step), 0).whole(wanted) if step else minimum
        )
    arrays = [np.zeros(layout.shape(extent), layout.dtype) for layout in inputs]
    before = resident_bytes()
    fresh.run(arrays)
    after = resident_bytes()
    if before is None or after is None:
        return None
    return (after - before) / math.prod(extent.values())


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not tell (it is not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _space_axis(axis: Axis, geometry: Geometry, found: AxisFacts | None) -> SpaceAxis:
    minimum, step = legal_sizes(axis)
    stride = (found and found.stride_px) or UNKNOWN_STRIDE
    return SpaceAxis(
        axis.id,
        minimum,
        step,
        geometry.grid(axis, stride),
        None if found is None else found.radius_px,
        () if found is None else found.unbounded_by,
    )


def _layouts(package: Package, geometry: Geometry) -> tuple[list[TensorLayout], list[TensorLayout]]:
    inputs = [
        TensorLayout(
            tensor.axis_ids,
            {axis.id: axis.size.size for axis in tensor.axes if isinstance(axis.size, FixedSize)},
        )
        for tensor in package.description.inputs
    ]
    outputs = [
        TensorLayout(
            tuple(
                axis.id if f is None else f.axis
                for axis, f in zip(tensor.axes, follows, strict=True)
            ),
            scale={f.axis: f.scale for f in follows if f is not None},
        )
        for tensor in package.description.outputs
        for follows in [geometry.outputs[tensor.id]]
    ]
    return inputs, outputs


def _graph(package: Package, geometry: Geometry) -> GraphFacts | None:
    """What the ONNX graph of a package says; None without one."""
    from scopezoo.predict.graph import analyse_graph

    weights = package.description.weights.get("onnx")
    if weights is None:
        return None
    tiled = {axis.id for axis in geometry.axes}
    return analyse_graph(
        package.read(weights.file),
        space=[
            [i for i, axis in enumerate(tensor.axes) if axis.id in tiled]
            for tensor in package.description.inputs
        ],
        legal_px=[legal_sizes(axis) for axis in geometry.axes],
    )
