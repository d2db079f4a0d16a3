"""Patches for a torch DataLoader."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from scopezoo.datasets.paired.patches import Patches


class TorchPatches(IterableDataset[tuple[Tensor, Tensor]]):
    """Pairs (source, target) of tensors (1, z, y, x) or (1, y, x), float32, without end.

    Workers share the sequence: each takes every n-th patch.
    """

    def __init__(self, patches: Patches) -> None:
        self._patches = patches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for number in count(first, step):
            patch = self._patches[number]
            yield torch.from_numpy(patch.source[None]), torch.from_numpy(patch.target[None])
