"""Simulated instruments, and pairs of images of one specimen that two of them take."""

from __future__ import annotations

from scopezoo.datasets.simulation.config import (
    Misregistration,
    PairConfig,
    Specimen,
    read_config,
    ready_made,
)
from scopezoo.datasets.simulation.dataset import simulate_dataset
from scopezoo.datasets.simulation.instrument import Instrument
from scopezoo.datasets.simulation.pair import SimulatedPair, simulate_pair

__all__ = [
    "Instrument",
    "Misregistration",
    "PairConfig",
    "SimulatedPair",
    "Specimen",
    "read_config",
    "ready_made",
    "simulate_dataset",
    "simulate_pair",
]
