"""Blocks are found where they are, whatever lies beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from scopezoo.datasets.registration import judge_transform
from scopezoo.datasets.registration.blocks import BLOCKS, SLABS, measure_blocks
from scopezoo.datasets.registration.matching import matched
from scopezoo.datasets.registration.matrices import applied
from scopezoo.datasets.registration.volume import read_volume
from scopezoo.datasets.simulation import read_config, simulate_pair
from scopezoo.datasets.simulation.config import Misregistration
from tests.datasets.registration.rendered import Grid, pair

SEARCH = (3, 6, 6)


def smooth_noise(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return gaussian_filter(noise, 1.5)


@given(
    st.integers(0, 1000), st.integers(-2, 2), st.integers(-5, 5), st.integers(-5, 5), st.booleans()
)
@settings(max_examples=25)
def test_a_block_is_found_where_it_was_cut(seed: int, z: int, y: int, x: int, cut: bool) -> None:
    around = smooth_noise(seed, (16, 44, 44))
    start = np.add(SEARCH, (z, y, x))
    region = tuple(slice(s, s + n) for s, n in zip(start, (10, 32, 32), strict=True))
    inside = np.ones(around.shape, bool)
    if cut:
        inside[:, :8] = False  # nothing was taken there
    match = matched(around[region], around, inside)
    assert match.clear
    assert np.abs(match.shift_px - (z, y, x)).max() < 0.3


def test_noise_finds_no_match() -> None:
    around = smooth_noise(1, (16, 44, 44))
    match = matched(smooth_noise(2, (10, 32, 32)), around, np.ones(around.shape, bool))
    assert not match.clear


def test_what_lies_at_the_lowest_planes_is_not_drawn_into_the_image() -> None:
    """Cells on the coverslip: the confocal sees half of their blur, the wide-field all of it."""
    config = read_config("widefield-confocal")
    assert config.target is not None
    config = config.model_copy(
        update={
            "source": replace(config.source, shape=(32, 140, 140)),
            "target": replace(config.target, shape=(32, 192, 192)),
            "misregistration": Misregistration(),
        }
    )
    made = simulate_pair(config, 1, "cytoskeleton")
    assert made.target is not None
    quality = judge_transform(made.source, made.target, made.source_to_target).quality
    assert quality.axial_residual_median_planes is not None
    assert quality.axial_residual_median_planes < 0.2
    assert quality.residual_median_px is not None
    assert quality.residual_median_px < 0.05


def test_slabs_see_a_drift_that_blocks_do_not() -> None:
    source, target, known = pair(
        1,
        Grid((24, 128, 128), (0.2, 0.1, 0.1)),
        Grid((24, 128, 128), (0.2, 0.1, 0.1)),
        np.eye(4),
        300,
    )
    volumes = [read_volume(one, None) for one in (source, target)]
    slabs = measure_blocks(*volumes, known, (0.1, 0.1), plan=SLABS).found()
    blocks = measure_blocks(*volumes, known, (0.1, 0.1), plan=BLOCKS).found()
    assert len(np.unique(slabs.centres_um[:, 0])) > 4 > len(np.unique(blocks.centres_um[:, 0]))
    assert np.abs(np.median(slabs.displacements_um, axis=0)).max() < 0.02
    assert (slabs.precision_per_um2[:, 0] == 0).all()  # a slab knows nothing of z
    assert applied(known, np.zeros((1, 3))) == pytest.approx(0)
