"""A smooth residual is found where there is one, and left where there is none."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from scopezoo.datasets.registration import judge_transform, picture, resample
from scopezoo.datasets.smooth import Smooth
from scopezoo.image import Image
from tests.datasets.registration.rendered import Grid, noisy, points, render

GRID = Grid((30, 128, 128), (0.2, 0.1, 0.1))
SIGMA = (0.25, 0.12, 0.12)


def drift_um(z_um: np.ndarray) -> np.ndarray:
    """Of the source, (n, 3): once along y, to and fro along x."""
    time = z_um / GRID.extent_um[0]
    along_y, along_x = 0.2 * np.cos(np.pi * time), 0.15 * np.sin(2 * np.pi * time)
    return np.stack([0 * time, along_y, along_x], axis=-1)


@lru_cache
def drifting(amount: float) -> tuple[Image, Image, np.ndarray]:
    """Both on one grid; places in the target."""
    places = points(2, GRID.extent_um, 350)
    seen = places + amount * drift_um(places[:, 0])
    images = [
        GRID.image(noisy(render(p, GRID, SIGMA), 5 + i)) for i, p in enumerate((seen, places))
    ]
    inner = ((places > 1) & (places < GRID.extent_um - 1)).all(axis=1)
    return images[0], images[1], places[inner]


@pytest.mark.slow
def test_a_drift_is_found_and_taken_away() -> None:
    source, target, places = drifting(1.0)
    found = judge_transform(source, target, np.eye(4), smooth=True)
    assert found.smooth is not None
    assert found.quality.without_smooth is not None
    seen = places + drift_um(places[:, 0])
    before = np.linalg.norm((seen - places)[:, 1:], axis=1) / 0.1
    after = np.linalg.norm((found.smooth.applied(seen) - places)[:, 1:], axis=1) / 0.1
    assert np.median(after) < 0.25 * np.median(before)
    everywhere = drift_um(np.linspace(0, GRID.extent_um[0], 50))
    known = float(np.median(np.linalg.norm(everywhere, axis=1))) / 0.1
    judged = found.quality.without_smooth["residual_median_px"], found.quality.residual_median_px
    assert judged[0] == pytest.approx(known, rel=0.2)
    assert judged[1] is not None
    assert judged[1] < 0.3 * judged[0]
    plain = resample(source, target, np.eye(4)).read().astype(float)
    moved = resample(source, target, np.eye(4), "linear", found.smooth).read().astype(float)
    seen_by_both = moved > 0
    alike = [
        np.corrcoef(one[seen_by_both], target.read()[seen_by_both])[0, 1] for one in (plain, moved)
    ]
    assert alike[1] > alike[0] + 0.1
    shown = [picture(source, target, replace(found, smooth=s)) for s in (found.smooth, None)]
    assert shown[0] != shown[1]


def test_without_a_drift_there_is_none_beside_the_matrix() -> None:
    source, target, _ = drifting(0.0)
    found = judge_transform(source, target, np.eye(4), smooth=True)
    assert found.smooth is None
    assert found.quality.without_smooth is None
    assert found.quality.passed


def test_a_smooth_shift_is_a_shift() -> None:
    source, target, _ = drifting(0.0)
    shifted = np.eye(4)
    shifted[:3, 3] = 0.1, 0.23, -0.4
    smooth = Smooth(
        origin_um=(0, 0, 0), spacing_um=(1, 1, 1), displacements_um=[[[(0.1, 0.23, -0.4)]]]
    )
    for interpolation in ("linear", "cubic"):
        one = resample(source, target, shifted, interpolation)
        other = resample(source, target, np.eye(4), interpolation, smooth)
        part = tuple(slice(*ends) for ends in ((3, 20), (0, 70), (40, 128)))
        assert np.allclose(one.data[part], other.data[part], atol=0.05)
        assert np.allclose(other.data[part], other.read()[part], atol=0.05)
