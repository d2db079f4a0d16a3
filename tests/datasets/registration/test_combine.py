from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.datasets.registration import combine
from scopezoo.datasets.registration.matrices import about, applied, turn_in_plane
from scopezoo.errors import UsageError


@given(st.floats(-3, 3), st.floats(-10, 10), st.integers(0, 100))
def test_the_median_withstands_a_wrong_pair(angle: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle = np.array([5.0, 50.0, 50.0])
    known = about(turn_in_plane(angle), middle, middle + shift)
    near = []
    for _ in range(6):
        one = known.copy()
        one[:3, 3] += rng.normal(size=3) * 0.01
        near.append(one)
    wrong = about(turn_in_plane(angle + 2), middle, middle + shift + 3)
    combined = combine([*near[:3], wrong, *near[3:]])
    assert combined.outliers == (3,)
    corner = np.array([[10.0, 100.0, 100.0]])
    assert np.abs(applied(combined.matrix, corner) - applied(known, corner)).max() < 0.03
    turn = combined.matrix[:3, :3]
    assert np.allclose(turn @ turn.T, np.eye(3))


def test_stretched_transforms_stay_stretched() -> None:
    stretched = np.diag([1, 1.01, 1.01, 1])
    combined = combine([stretched] * 3)
    assert np.allclose(combined.matrix, stretched)
    assert combined.deviations_um == pytest.approx((0, 0, 0), abs=1e-9)


def test_what_cannot_be_combined_is_an_error() -> None:
    with pytest.raises(UsageError, match="no transforms"):
        combine([])
    with pytest.raises(UsageError, match="4×4"):
        combine([np.full((4, 4), np.nan)])
