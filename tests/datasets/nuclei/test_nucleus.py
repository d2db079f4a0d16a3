"""A nucleus is where its points are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.nuclei.nucleus import Nucleus, grow_nucleus
from tests.datasets.nuclei.small import tissue


def grown(seed: int, flat: bool) -> Nucleus:
    nucleus = grow_nucleus(tissue(flat=flat), np.random.default_rng(seed))
    return nucleus.at(np.random.default_rng(seed).uniform(-20, 20, 3))


def shells(radius: float, seed: int) -> np.ndarray:
    """Points (N × z, y, x) on a sphere."""
    points = np.random.default_rng(seed).normal(size=(200, 3))
    return radius * points / np.linalg.norm(points, axis=1, keepdims=True)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.booleans())
def test_its_frame_goes_there_and_back(seed: int, flat: bool) -> None:
    nucleus = grown(seed, flat)
    points = shells(1.0, seed) * nucleus.half_um
    np.testing.assert_allclose(nucleus.local(nucleus.place(points)), points, atol=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.booleans())
def test_it_holds_what_is_under_its_surface(seed: int, flat: bool) -> None:
    nucleus = grown(seed, flat)
    assert nucleus.contains(nucleus.place(shells(0.999, seed) * nucleus.half_um)).all()
    assert not nucleus.contains(nucleus.place(shells(1.001, seed) * nucleus.half_um)).any()


@settings(max_examples=30)
@given(st.integers(0, 1000), st.booleans())
def test_nothing_of_it_is_out_of_reach(seed: int, flat: bool) -> None:
    nucleus = grown(seed, flat)
    surface = nucleus.place(shells(1.0, seed) * nucleus.half_um)
    assert np.linalg.norm(surface - nucleus.centre_um, axis=1).max() <= nucleus.reach_um


def test_flat_nuclei_lie_on_their_broad_side() -> None:
    for seed in range(20):
        nucleus = grown(seed, flat=True)
        points = nucleus.place(shells(1.0, 0) * nucleus.half_um)
        assert np.ptp(points[:, 0]) < 1.4 * 2 * nucleus.half_um[0]
