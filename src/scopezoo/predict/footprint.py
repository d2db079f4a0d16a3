"""The memory that a run takes, per pixel of the first input: measured, or what the graph says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scopezoo.predict.graph import MEMORY_FACTOR
from scopezoo.predict.machine import resident_bytes
from scopezoo.predict.probes import TensorLayout
from scopezoo.predict.runtimes import Runtime

UNKNOWN_BYTES_PER_PX = 4000.0
"""Taken where the graph does not tell: more than the networks of microscopy need."""
MEASURED_FACTOR = {"onnxruntime": 1.25, "openvino": 1.05}
"""Room over what was measured, for the runtimes on the CPU that keep what they need. The first run
of a shape in onnxruntime took up to a fifth more than it keeps, by gaps in its arena."""
LEAST_FACTOR = 0.4
"""A run takes at least this over what the graph says; less was measured where others gave memory
back meanwhile."""
RUNS = 2
"""onnxruntime keeps what the second takes."""


@dataclass(frozen=True)
class Footprint:
    """Memory of a run in bytes: `fixed_bytes` of whatever size, and `bytes_per_px`.

    Beside what the network takes this counts the tile that is read ahead and the results that are
    not yet written.
    """

    fixed_bytes: float
    bytes_per_px: float


def footprint(
    load: Callable[[], Runtime],
    inputs: Sequence[TensorLayout],
    extents: Sequence[Mapping[str, int]],
    activation_bytes_per_px: float | None,
) -> Footprint:
    """What runs of a network take.

    It is loaded anew by `load` and run on images of two `extents`, the smaller first. Where that
    shows nothing, what the graph says counts, with room for every runtime.
    """
    network = load()
    first = _run(network, extents[0], inputs)
    factor = MEASURED_FACTOR.get(network.name) if network.device == "cpu" else None
    if factor is None or first.taken_bytes is None:
        known = activation_bytes_per_px
        network_bytes = UNKNOWN_BYTES_PER_PX if known is None else known * MEMORY_FACTOR
        return Footprint(0, network_bytes + first.passing_bytes_per_px)
    last = _run(load(), extents[-1], inputs)  # the first is kept, lest this takes what it gave back
    assert last.taken_bytes is not None
    slope = last.taken_bytes / last.px
    if last.px > first.px:
        slope = (last.taken_bytes - first.taken_bytes) / (last.px - first.px)
    fixed = max(0.0, last.taken_bytes - slope * last.px)
    network_bytes = max(slope * factor, LEAST_FACTOR * (activation_bytes_per_px or 0))
    return Footprint(fixed, network_bytes + last.passing_bytes_per_px)


@dataclass(frozen=True)
class _Run:
    px: int
    taken_bytes: int | None
    passing_bytes_per_px: float


def _run(network: Runtime, extent: Mapping[str, int], inputs: Sequence[TensorLayout]) -> _Run:
    px = math.prod(extent.values())
    arrays = [np.zeros(layout.shape(extent), layout.dtype) for layout in inputs]
    before = resident_bytes()
    for _ in range(RUNS):
        results = network.run(arrays)
    passing = sum(array.nbytes for array in (*arrays, *results)) / px
    del results
    after = resident_bytes()
    taken = None if before is None or after is None else after - before
    return _Run(px, taken, passing)
