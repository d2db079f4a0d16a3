"""What tiling needs to know of a network: strides, receptive radius, memory, needed halo.

Found once per network and kept in the user's cache, by the hash of the weights.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scopezoo.errors import PackageError, RuntimeFailedError
from scopezoo.predict.geometry import Geometry, legal_sizes
from scopezoo.predict.halo import AxisHalo, SpaceAxis, largest_difference, measure_halo
from scopezoo.predict.probes import TensorLayout, make_probe
from scopezoo.predict.runtimes import Runtime, lighter_weights, with_weights
from scopezoo.predict.tiles import AxisRule
from scopezoo.store.cache import cache_folder
from scopezoo.store.files import sha256
from scopezoo.store.package import Package
from scopezoo.store.tensors import Axis, FixedSize

if TYPE_CHECKING:
    from scopezoo.predict.footprint import Footprint
    from scopezoo.predict.graph import GraphFacts
    from scopezoo.predict.graph.survey import AxisFacts

FACTS_VERSION = 7
"""Kept facts of another version are found anew."""
UNKNOWN_STRIDE = 32
TEST_PX = {2: (384, 1024), 3: (48, 96)}
"""Sides of the two images, by axes of space, on which networks are tried."""
LIGHTER_TOLERANCE = 1e-4
"""Between lighter weights and the package's own, for outputs up to 10; beyond, relative to a tenth
of their largest magnitude. Rounding alone gives a hundredth of it."""


@dataclass(frozen=True)
class NetworkFacts:
    """By axis id of the first input, in its pixels; see HaloChoice for `halo` and `radius`.

    `halo_error` has the largest error that was measured for each halo in px.
    `lighter` says whether the network is run from lighter weights (see `lighter_weights`), to which
    the memory of a run belongs: `fixed_bytes` and, per pixel of the first input, `bytes_per_px`.
    """

    strides: Mapping[str, int]
    radius: Mapping[str, int | None]
    halo: Mapping[str, int | None]
    halo_error: Mapping[str, Mapping[str, float]]
    lighter: bool
    fixed_bytes: float
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
    exact = _exact(package, runtime)
    lighter = _lighter(package, geometry, runtime, exact)
    memory = _footprint(package, geometry, runtime, lighter)
    found = measure_halo(exact.run, *_layouts(package, geometry), space).axes
    return NetworkFacts(
        strides={axis.id: axis.grid_px for axis in space},
        radius={axis.id: axis.radius_px for axis in space},
        halo={axis.id: _needed(found[axis.id]) for axis in space},
        halo_error={
            axis.id: {str(px): error for px, error in found[axis.id].error_at.items()}
            for axis in space
        },
        lighter=lighter is not None,
        fixed_bytes=memory.fixed_bytes,
        bytes_per_px=memory.bytes_per_px,
    )


def _exact(package: Package, runtime: Runtime) -> Runtime:
    """The same network in float32, since rounding would be taken for a need of halo; loaded anew
    where that is cheap, so that what it takes is given back."""
    if runtime.weights_format != "onnx":
        return runtime
    content = package.read(package.description.weights["onnx"].file)
    return with_weights(package, replace(runtime, precision="float32"), content)


def _needed(found: AxisHalo) -> int | None:
    """What was measured, or its upper bound: a network that never comes within the tolerance."""
    return found.radius_px if found.needed_px is None else found.needed_px


def _lighter(
    package: Package, geometry: Geometry, runtime: Runtime, exact: Runtime
) -> bytes | None:
    """Lighter weights that give what the package's own give, tried in float32."""
    content = lighter_weights(package, runtime)
    if content is None:
        return None
    inputs, _ = _layouts(package, geometry)
    probe = make_probe(
        "noise", inputs, _test_extents(package, geometry)[0], np.random.default_rng(0), None
    )
    try:
        found = with_weights(package, exact, content).run(probe)
    except (PackageError, RuntimeFailedError):
        return None
    pairs = list(zip(found, exact.run(probe), strict=True))
    is_same = all(
        a.shape == b.shape and largest_difference(a, b).max(initial=0) <= LIGHTER_TOLERANCE
        for a, b in pairs
    )
    return content if is_same else None


def _footprint(
    package: Package, geometry: Geometry, runtime: Runtime, lighter: bytes | None
) -> Footprint:
    from scopezoo.predict.footprint import footprint

    content = lighter
    if content is None and runtime.weights_format == "onnx":
        content = package.read(package.description.weights["onnx"].file)
    graph = _graph(package, geometry, lighter)

    def load() -> Runtime:
        return runtime if content is None else with_weights(package, runtime, content)

    return footprint(
        load,
        _layouts(package, geometry)[0],
        _test_extents(package, geometry),
        None if graph is None else graph.activation_bytes_per_px,
    )


def _test_extents(package: Package, geometry: Geometry) -> list[dict[str, int]]:
    """Legal sizes by axis near TEST_PX."""
    n = min(3, max(2, len(package.description.inputs[0].space)))
    return [
        {
            axis.id: AxisRule(minimum, step, max(1, step), 0).whole(wanted) if step else minimum
            for axis in geometry.axes
            for minimum, step in [legal_sizes(axis)]
        }
        for wanted in TEST_PX[n]
    ]


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


def _graph(package: Package, geometry: Geometry, content: bytes | None = None) -> GraphFacts | None:
    """What the ONNX graph of a package, or another for it, says; None without one."""
    from scopezoo.predict.graph import analyse_graph

    weights = package.description.weights.get("onnx")
    if weights is None:
        return None
    tiled = {axis.id for axis in geometry.axes}
    return analyse_graph(
        package.read(weights.file) if content is None else content,
        space=[
            [i for i, axis in enumerate(tensor.axes) if axis.id in tiled]
            for tensor in package.description.inputs
        ],
        legal_px=[legal_sizes(axis) for axis in geometry.axes],
    )
