"""What differs between kinds of model while they are trained."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Task(Protocol):
    """Patches to learn from, what is wrong with an output, and how good a network is.

    `score_name` says in words what `score` measures (higher is better); `layout` is that of the
    network's weights and images in memory.
    """

    score_name: str
    layout: torch.memory_format

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images and what is wanted for them, both with the batch first."""
        ...

    def run(self, network: nn.Module, images: Tensor) -> Any:
        """The network's output in the form that `loss` takes."""
        ...

    def loss(self, output: Any, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        """What is made small, and its parts by name."""
        ...

    def score(self, network: nn.Module) -> float:
        """How good the network (in eval mode) is on the validation part."""
        ...
