"""Properties of the tile geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scopezoo.errors import UsageError
from scopezoo.predict.tiles import AxisRule, plan_tiles, reflected, tiles


@st.composite
def rules(draw: st.DrawFn) -> AxisRule:
    step = draw(st.sampled_from([0, 1, 2, 4, 8, 16]))
    grid = (step or 1) * draw(st.sampled_from([1, 2, 3]))
    halo = grid * draw(st.integers(0, 4))
    trim = draw(st.integers(0, 5))
    minimum = draw(st.integers(max(1, 2 * trim + 1), 200))
    return AxisRule(minimum, step, grid, halo, trim)


@given(st.lists(st.tuples(st.integers(1, 700), rules()), min_size=1, max_size=3), st.data())
def test_tiles_obey_the_rules_and_write_every_pixel_once(
    axes: list[tuple[int, AxisRule]], data: st.DataObject
) -> None:
    sizes = [size for size, _ in axes]
    axis_rules = [rule for _, rule in axes]
    max_px = data.draw(st.integers(1, 500_000))
    try:
        plans = plan_tiles(sizes, axis_rules, max_px)
    except UsageError:
        assume(False)
    for size, rule, plan in zip(sizes, axis_rules, plans, strict=True):
        whole = rule.whole(size)
        assert plan.windows[0].start == 0
        assert plan.windows[-1].stop == whole
        covered = np.zeros(size, dtype=int)
        for window in plan.windows:
            assert window.stop - window.start == plan.width
            assert window.start % rule.grid == 0
            if rule.step:
                assert (plan.width - rule.minimum) % rule.step == 0
            assert plan.width >= rule.minimum
            covered[window.core_start - rule.trim : window.core_stop - rule.trim] += 1
            if window.start > 0:
                assert window.core_start - window.start >= rule.halo + rule.trim
            if window.stop < whole:
                assert window.stop - window.core_stop >= rule.halo + rule.trim
        assert (covered == 1).all()


@given(st.integers(1, 400), st.integers(1, 400), st.integers(10_000, 300_000))
def test_tiles_stay_within_the_budget(height: int, width: int, max_px: int) -> None:
    rule = AxisRule(minimum=16, step=16, grid=16, halo=16)
    plans = plan_tiles([height, width], [rule, rule], max_px)
    assert plans[0].width * plans[1].width <= max_px


def test_windows_are_near_equal_and_waste_little() -> None:
    rule = AxisRule(minimum=192, step=16, grid=16, halo=48)
    plans = plan_tiles([4096, 4096], [rule, rule], 1104 * 1104)
    computed = plans[0].computed * plans[1].computed
    assert computed / 4096**2 < 1.2
    assert len(list(tiles(plans))) == len(plans[0].windows) * len(plans[1].windows)


def test_a_bound_that_the_halo_forbids_is_an_error() -> None:
    rule = AxisRule(minimum=16, step=16, grid=16, halo=64)
    with pytest.raises(UsageError, match="too small"):
        plan_tiles([4096], [rule], 10**9, [96])


@given(st.integers(1, 30), st.integers(0, 80), st.integers(0, 80))
def test_reflection_is_numpys(size: int, before: int, after: int) -> None:
    line = np.arange(size)
    expected = np.pad(line, (before, after), mode="reflect")
    assert (line[reflected(-before, size + after, size)] == expected).all()


def test_products_beyond_int64_do_not_pass_for_small_ones() -> None:
    rule = AxisRule(minimum=2**20, step=2**20, grid=2**20, halo=0)
    plans = plan_tiles([2**22] * 3, [rule] * 3, 2**61)
    assert all(plan.width < 2**22 for plan in plans)
