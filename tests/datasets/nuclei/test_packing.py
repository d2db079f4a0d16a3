"""Nuclei touch, but none is in another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.nuclei.packing import numbered, pack_nuclei
from tests.datasets.nuclei.small import CONFOCAL, tissue


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 100))
def test_nuclei_do_not_overlap(seed: int) -> None:
    volume = pack_nuclei(tissue(), CONFOCAL, np.random.default_rng(seed))
    index = np.argwhere(volume.labels)
    points = (index - volume.margin) * volume.voxel_um
    holders = sum(nucleus.contains(points).astype(int) for nucleus in volume.nuclei)
    assert np.mean(np.asarray(holders) > 1) < 0.03, "but for what fits between the probes"


def test_it_is_filled_as_asked() -> None:
    for filling in (0.05, 0.2):
        volume = pack_nuclei(
            tissue(filling=filling, size_variation=0.0), CONFOCAL, np.random.default_rng(1)
        )
        body_um3 = 4 / 3 * np.pi * 2.8 * 3.2 * 4.0
        low, high = volume.corners_um
        part = len(volume.nuclei) * body_um3 / np.prod(high - low)
        assert part == pytest.approx(filling, abs=0.02)


def test_a_layer_holds_all_middles() -> None:
    volume = pack_nuclei(tissue(layer_um=3, flat=True), CONFOCAL, np.random.default_rng(2))
    heights = [nucleus.centre_um[0] - CONFOCAL.centre_um[0] for nucleus in volume.nuclei]
    assert np.abs(heights).max() <= 1.5


def test_slivers_have_no_label_and_numbers_have_no_gap() -> None:
    labels = np.repeat([0, 1, 2, 3], [4, 5, 2, 6]).astype(np.int32)
    np.testing.assert_array_equal(
        numbered(labels, least_voxels=3), np.repeat([0, 1, 0, 2], [4, 5, 2, 6])
    )
