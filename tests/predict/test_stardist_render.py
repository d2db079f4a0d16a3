from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.predict.stardist import Candidates
from scopezoo.predict.stardist_render import Objects
from tests.predict.star_fields import (
    blobs,
    decode,
    decode_by_core,
    everything,
    parameters_2d,
    parameters_3d,
)

pytest.importorskip("stardist")


def discs(*centre_radius_prob: tuple[float, float, float, float]) -> Objects:
    points, radii, prob = (
        np.array([d[:2] for d in centre_radius_prob], np.int32),
        np.array([d[2] for d in centre_radius_prob], np.float32),
        np.array([d[3] for d in centre_radius_prob], np.float32),
    )
    kept = Candidates(points, prob, np.repeat(radii[:, None], 12, axis=1))
    return Objects.of(kept, parameters_2d())


def test_hidden_objects_leave_no_gap() -> None:
    objects = discs((20, 20, 8, 0.9), (20, 20, 4, 0.8), (20, 40, 5, 0.7), (90, 9, 5, 0.6))
    assert objects.render(everything((50, 50))).max() == 3
    visible = objects.visible((50, 50))
    assert len(visible) == 2
    labels = visible.render(everything((50, 50)))
    assert labels[20, 20] == 1
    assert labels[20, 40] == 2
    assert np.unique(labels).tolist() == [0, 1, 2]


def test_core_leaves_a_gap_where_an_object_is_hidden() -> None:
    output = np.zeros((30, 30, 13), np.float32)
    output[15, 15] = [0.9, *[10] * 12]
    output[15, 16] = [0.8, *[4] * 12]
    output[15, 28] = [0.7, *[2] * 12]
    parameters = parameters_2d(nms_threshold=1)
    core = decode_by_core(output, parameters)
    assert np.unique(core).tolist() == [0, 1, 3]
    ours = decode(output, [everything((30, 30))], parameters)[1]
    np.testing.assert_array_equal(ours, np.array([0, 1, 9, 2])[core])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_region_is_a_part_of_the_whole(data: st.DataObject) -> None:
    output = blobs((24, 20), 8, 9, 12, seed=data.draw(st.integers(0, 999)))
    objects, labels = decode(output, [everything((24, 20))], parameters_2d(grid=(2, 1)))
    objects = objects.scaled(data.draw(st.sampled_from([(1, 1), (0.7, 0.7), (1.5, 2)])))
    whole = objects.render(everything((70, 40)))
    y, x = (sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in (70, 40))
    region = (slice(*y), slice(*x))
    np.testing.assert_array_equal(objects.render(region), whole[region])
    if objects.scale == (1, 1):
        np.testing.assert_array_equal(labels, whole[:48, :20])


def test_outlines_are_what_is_drawn() -> None:
    from skimage.draw import polygon

    output = blobs((60, 60), 12, 9, 12, seed=4)
    objects, labels = decode(output, [everything((60, 60))], parameters_2d())
    outlines = objects.polygons()
    assert len(outlines) == len(objects) == labels.max()
    drawn = np.zeros_like(labels)
    for number in range(len(outlines), 0, -1):
        drawn[polygon(*outlines[number - 1].T, drawn.shape)] = number
    np.testing.assert_array_equal(drawn, labels)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_scaled_objects_lie_where_they_were() -> None:
    objects = discs((30, 20, 12, 0.9), (30, 50, 9, 0.8))
    labels = objects.render(everything((60, 70)))
    double = objects.scaled((2, 3)).render(everything((120, 210)))
    repeated = np.kron(labels, np.ones((2, 3), labels.dtype))
    half = objects.scaled((0.5, 0.5)).render(everything((30, 35)))
    for number in (1, 2):
        assert overlap(double == number, repeated == number) > 0.9
        assert overlap(half == number, labels[::2, ::2] == number) > 0.7
    centre = np.argwhere(double == 1).mean(axis=0)
    np.testing.assert_allclose(centre, (np.array([30, 20]) + 0.5) * (2, 3) - 0.5, atol=0.1)


def test_scaled_balls_lie_where_they_were() -> None:
    kept = Candidates(
        np.array([[10, 12, 14]], np.int32), np.ones(1, np.float32), np.full((1, 96), 8, np.float32)
    )
    objects = Objects.of(kept, parameters_3d(n_rays=96)).scaled((0.5, 1, 2))
    ball = np.argwhere(objects.render(everything((12, 26, 52))))
    expected = (np.array([10, 12, 14]) + 0.5) * (0.5, 1, 2) - 0.5
    np.testing.assert_allclose(ball.mean(axis=0), expected, atol=0.25)
    assert len(ball) == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.12)


def test_many_objects_need_a_wider_type() -> None:
    side = np.arange(0, 257 * 3, 3)
    points = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    prob = np.linspace(1, 0.5, len(points))
    kept = Candidates(
        points.astype(np.int32), prob.astype(np.float32), np.ones((len(points), 12), np.float32)
    )
    objects = Objects.of(kept, parameters_2d())
    assert objects.dtype == np.uint32
    corner = objects.render((slice(760, 770), slice(760, 770)))
    assert corner.max() == 257**2
    few = kept.take(np.arange(65535))
    assert Objects.of(few, parameters_2d()).dtype == np.uint16
