"""The adapter for torch gives the same patches, whoever loads them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from scopezoo.datasets.paired.patches import Patches
from tests.datasets.paired.pairs import dataset

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

from scopezoo.datasets.paired.torch_patches import TorchPatches  # noqa: E402


def test_workers_share_the_sequence(tmp_path: Path) -> None:
    patches = Patches(dataset(tmp_path / "d", ["a"]), None, (4, 16, 16), 0)
    wanted = [patches[number].target for number in range(6)]
    for workers in (0, 2):
        loader = DataLoader(TorchPatches(patches), batch_size=1, num_workers=workers)
        got = [target for _, target in islice(loader, 6)]
        assert all(one.shape == (1, 1, 4, 16, 16) for one in got)
        assert all(np.array_equal(a[0, 0], b) for a, b in zip(got, wanted, strict=True))
