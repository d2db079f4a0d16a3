"""The time left follows how fast tiles come."""

from __future__ import annotations

import pytest

from scopezoo.serving.jobs.time_left import WINDOW, TimeLeft


def test_a_steady_rate_gives_the_time_of_what_is_left() -> None:
    left = TimeLeft()
    left.mark(100.0, 7, 27)  # 7 were there before
    assert left.seconds(101.0) is None
    for tile in range(1, 11):
        left.mark(100.0 + 2.0 * tile, 7 + tile, 27)
    assert left.seconds(120.0) == pytest.approx(20.0)
    assert left.seconds(121.5) == pytest.approx(18.5)
    assert left.seconds(500.0) == 0.0


def test_only_the_last_tiles_count() -> None:
    left = TimeLeft()
    for tile in range(100):
        left.mark(tile * 10.0, tile, 1000)
    for tile in range(100, 100 + WINDOW + 1):
        left.mark(1000.0 + (tile - 100), tile, 1000)
    assert left.seconds(1000.0 + WINDOW) == pytest.approx(1000 - 100 - WINDOW)
