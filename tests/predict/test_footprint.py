"""What a run takes is seen, whatever the network takes once and for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scopezoo.predict.footprint import Footprint, footprint
from scopezoo.predict.graph import MEMORY_FACTOR
from scopezoo.predict.machine import resident_bytes
from scopezoo.predict.probes import TensorLayout
from scopezoo.predict.runtimes import Runtime

EXTENTS = [{"y": 400, "x": 300}, {"y": 900, "x": 1000}]
PASSING = 2 * 4
"""Of one channel in and out."""


def network(kept: Callable[[int], int]) -> Runtime:
    """Keeps as many bytes as `kept` says for a number of pixels, as runtimes do."""
    memory: dict[int, NDArray[Any]] = {}

    def call(inputs: Any) -> list[NDArray[Any]]:
        px = inputs[0].size
        memory[px] = np.ones(kept(px), np.uint8)
        return [inputs[0]]

    return Runtime("openvino", "1", call, "onnx", "", "float32", "cpu")


def seen(made: Callable[[], Runtime], activation: float | None = None) -> Footprint:
    return footprint(made, [TensorLayout(("batch", "y", "x"))], EXTENTS, activation)


@pytest.mark.skipif(resident_bytes() is None, reason="this system does not tell")
def test_what_is_fixed_is_told_from_what_grows() -> None:
    found = seen(lambda: network(lambda px: 40_000_000 + 200 * px))
    assert found.fixed_bytes == pytest.approx(40e6, rel=0.2)
    assert found.bytes_per_px - PASSING == pytest.approx(200 * 1.05, rel=0.1)


def test_the_graph_is_believed_where_less_was_seen() -> None:
    found = seen(lambda: network(lambda _: 1), 1000)
    assert found.bytes_per_px >= 400


def test_the_graph_counts_where_nothing_is_seen() -> None:
    unseen = replace(network(lambda _: 1), name="torchscript")
    assert seen(lambda: unseen, 100).bytes_per_px == 100 * MEMORY_FACTOR + PASSING
    assert seen(lambda: unseen).bytes_per_px > 1000
