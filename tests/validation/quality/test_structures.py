"""Structures of an image against those of another, on simulated spots."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scopezoo.validation.quality.structures import compare_structures, structures_of

PLACES = [(5, 20, 20), (5, 20, 70), (5, 70, 20), (5, 70, 70), (5, 45, 45)]
SEEN = np.ones((10, 96, 96), dtype=bool)


def spots(places: list[tuple[int, int, int]], seed: int, level: float = 60) -> NDArray[np.float32]:
    z, y, x = np.ogrid[:10, :96, :96]
    image = 10 + np.random.default_rng(seed).normal(0, 1, (10, 96, 96))
    for cz, cy, cx in places:
        image += level * np.exp(-((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2) / (2 * 2.5**2))
    return image.astype(np.float32)


def compared(image: NDArray[np.float32], wanted: NDArray[np.float32]):  # type: ignore[no-untyped-def]
    return compare_structures(structures_of(image, SEEN), structures_of(wanted, SEEN), None)


def test_all_are_found_whatever_gain_and_offset() -> None:
    found = compared(300 + 7 * spots(PLACES, 1), spots(PLACES, 2))
    assert (found.wanted, found.count, found.found, found.invented) == (5, 5, 1, 0)
    assert found.size == pytest.approx(found.wanted_size, rel=0.1)
    assert found.dice is not None
    assert found.dice > 0.9


def test_what_is_missing_and_what_is_invented_are_told_apart() -> None:
    found = compared(spots([*PLACES[:3], (5, 45, 80)], 1), spots(PLACES, 2))
    assert found.found == pytest.approx(3 / 5)
    assert found.invented == pytest.approx(1 / 4)


def test_what_was_not_seen_does_not_count() -> None:
    seen = SEEN.copy()
    seen[:, :40] = False
    assert len(np.unique(structures_of(spots(PLACES, 1), seen))) - 1 == 3


def test_nothing_is_in_a_flat_image() -> None:
    flat = np.full((10, 96, 96), 3, np.float32)
    found = compared(flat, spots(PLACES, 1))
    assert (found.count, found.found, found.invented, found.size) == (0, 0, None, None)


def test_a_plane_is_measured_as_a_plane() -> None:
    plane = spots(PLACES, 1)[5:6]
    labels = structures_of(plane, SEEN[:1])
    found = compare_structures(labels, labels, (1.0, 0.5, 0.5))
    in_px = compare_structures(labels, labels, None)
    assert found.count == 5
    assert found.size == pytest.approx((in_px.size or 0) / 2)
