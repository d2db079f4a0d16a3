"""Simulated stacks of nuclei with a label for each: what segmentation in 3D learns from."""

from __future__ import annotations

from scopezoo.datasets.nuclei.config import NucleiConfig, Tissue, read_nuclei_config
from scopezoo.datasets.nuclei.dataset import simulate_nuclei_dataset
from scopezoo.datasets.nuclei.stack import SimulatedStack, simulate_stack

__all__ = [
    "NucleiConfig",
    "SimulatedStack",
    "Tissue",
    "read_nuclei_config",
    "simulate_nuclei_dataset",
    "simulate_stack",
]
