"""StarDist in stacks: the network's form, and what its targets say of labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo.models.instances import predict_stars  # noqa: E402
from scopezoo.models.star_shapes import Polyhedra, Thresholds  # noqa: E402
from scopezoo.models.star_tally import count_matches, count_whole  # noqa: E402
from scopezoo.models.stardist_3d import StarDist3d  # noqa: E402

SHAPE = Polyhedra(rays=48, anisotropy=(1.5, 1.0, 1.0))


def make_small_network() -> StarDist3d:
    torch.manual_seed(0)
    network = StarDist3d(channels=(6, 8), features=6, rays=5)
    network(torch.randn(3, 1, 8, 16, 16))  # Gives the normalisation layers statistics of their own.
    return network.eval()


def balls() -> NDArray[np.int32]:
    """Labels ZYX of flat balls: two touch, one is cut by the first plane."""
    grid = np.indices((24, 64, 64), dtype=float)
    labels = np.zeros(grid.shape[1:], dtype=np.int32)
    middles = [(12, 16, 16), (12, 16, 35), (0, 46, 20), (14, 45, 48)]
    for number, middle in enumerate(middles, start=1):
        off = (grid - np.reshape(middle, (3, 1, 1, 1))) / np.reshape((6, 10, 10), (3, 1, 1, 1))
        labels[((off**2).sum(axis=0) < 1) & (labels == 0)] = number
    return labels


def test_output_is_probability_then_distances_on_the_grid() -> None:
    network = make_small_network()
    with torch.inference_mode():
        output = network(torch.randn(2, 1, 6, 24, 40))
    assert output.shape == (2, 3, 6, 10, 6)
    assert network.stride == (2, 8, 8)
    assert network.grid == SHAPE.grid
    assert 0 <= float(output[..., 0].min()) <= float(output[..., 0].max()) <= 1
    assert float(output[..., 1:].min()) > 0


@settings(max_examples=10, deadline=None)
@given(st.integers(5, 12), st.integers(9, 30), st.integers(9, 30))
def test_any_size_is_predicted_on_its_own_grid(depth: int, height: int, width: int) -> None:
    image = np.random.default_rng(0).normal(size=(depth, height, width)).astype(np.float32)
    found = predict_stars(make_small_network(), image, SHAPE.grid)
    assert found.shape == (-(-depth // 2), -(-height // 4), -(-width // 4), 6)


def test_true_targets_decode_to_the_true_labels() -> None:
    labels = balls()
    stars = np.moveaxis(SHAPE.targets(labels), 0, -1)
    assert stars.shape == (12, 16, 16, 49)
    found = SHAPE.render(SHAPE.find(stars, Thresholds(0.5, 0.3)), labels.shape)
    true_positives, false_positives, false_negatives = count_matches(labels, found)[1]
    assert (true_positives, false_positives, false_negatives) == (4, 0, 0)


def test_without_objects_there_are_no_labels() -> None:
    stars = np.zeros((4, 8, 8, 49), dtype=np.float32)
    found = SHAPE.find(stars, Thresholds(0.5, 0.3))
    assert not SHAPE.render(found, (8, 32, 32)).any()


def test_objects_that_the_border_cuts_do_not_count_as_whole() -> None:
    labels = balls()
    found = np.where(labels == 2, 0, labels)
    assert count_whole(labels, labels) == (3, 3)
    assert count_whole(labels, found) == (3, 2)
