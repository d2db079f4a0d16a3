"""Simulated nuclei are what they say."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets import simulate_nuclei


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(16, 80),
    width=st.integers(16, 80),
    seed=st.integers(0, 1000),
    nuclei=st.integers(0, 30),
)
def test_labels_are_dense_and_mark_what_is_bright(
    height: int, width: int, seed: int, nuclei: int
) -> None:
    image, labels = simulate_nuclei((height, width), seed, nuclei=nuclei)
    again, _ = simulate_nuclei((height, width), seed, nuclei=nuclei)
    np.testing.assert_array_equal(image, again)
    assert image.dtype == np.float32
    assert image.shape == labels.shape == (height, width)
    assert list(np.unique(labels[labels > 0])) == list(range(1, labels.max() + 1))
    assert labels.max() <= nuclei
    if 50 < (labels > 0).sum() < 0.9 * labels.size:
        assert image[labels > 0].mean() > image[labels == 0].mean() + 5
