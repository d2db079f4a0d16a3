from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.formats.pyramid import blocks, every_other, fill_level, mean_of_pairs, plan_levels

shapes = st.lists(st.integers(1, 7), min_size=2, max_size=4)


@given(
    sizes=st.fixed_dictionaries({axis: st.integers(1, 5000) for axis in "CZYX"}),
    z_um=st.floats(0.05, 5),
    y_um=st.floats(0.05, 5),
)
def test_levels_halve_until_they_are_small(sizes: dict[str, int], z_um: float, y_um: float) -> None:
    levels = plan_levels(sizes, {"Z": z_um, "Y": y_um, "X": y_um})
    assert levels[0].sizes == sizes
    assert max(levels[-1].sizes["Y"], levels[-1].sizes["X"]) <= 512
    for level in levels:
        assert level.factors["C"] == 1
        assert level.factors["Y"] == level.factors["X"]
        for axis, size in sizes.items():
            assert level.sizes[axis] == -(-size // level.factors[axis])
        # Z is never made coarser than a factor of 2 beyond Y
        assert level.factors["Z"] == 1 or (
            z_um * level.factors["Z"] <= 2 * y_um * level.factors["Y"]
        )


def test_z_of_unknown_size_is_kept() -> None:
    assert plan_levels({"Z": 50, "Y": 1024, "X": 1024}, {})[-1].factors == {"Z": 1, "Y": 2, "X": 2}


def test_z_joins_when_y_has_become_as_coarse() -> None:
    levels = plan_levels({"Z": 50, "Y": 4096, "X": 4096}, {"Z": 0.3, "Y": 0.1, "X": 0.1})
    assert [level.factors["Z"] for level in levels] == [1, 1, 1, 2]


@given(shape=shapes, data=st.data())
def test_mean_is_of_the_pixels_that_exist(shape: list[int], data: st.DataObject) -> None:
    steps = tuple(data.draw(st.sampled_from([1, 2])) for _ in shape)
    pixels = np.random.default_rng(0).random(shape)
    mean = mean_of_pairs(pixels, steps)
    for index in np.ndindex(*mean.shape):
        part = tuple(slice(i * step, (i + 1) * step) for i, step in zip(index, steps, strict=True))
        assert mean[index] == pytest.approx(pixels[part].mean())


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "f4"])
def test_mean_keeps_the_type_and_its_extremes(dtype: str) -> None:
    top = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1e30
    top = min(top, 2**52)
    pixels = np.full((4, 6), top, dtype)
    mean = mean_of_pairs(pixels, (2, 2))
    assert mean.dtype == pixels.dtype
    assert (mean == pixels[0, 0]).all()


@given(shape=shapes, data=st.data())
def test_blocks_cover_a_level_exactly_once(shape: list[int], data: st.DataObject) -> None:
    chunks = tuple(data.draw(st.integers(1, size)) for size in shape)
    count = np.zeros(shape, int)
    for block in blocks(tuple(shape), chunks):
        count[block] += 1
        assert all(part.start % chunk == 0 for part, chunk in zip(block, chunks, strict=True))
    assert (count == 1).all()


@pytest.mark.parametrize("nearest", [True, False])
def test_a_level_is_the_same_in_blocks_and_at_once(nearest: bool) -> None:
    fine = np.random.default_rng(0).integers(0, 999, (3, 2101, 1999), np.uint16)
    coarse = np.zeros((3, 1051, 1000), np.uint16)
    fill_level(fine, coarse, (1, 64, 64), nearest)
    whole = every_other(fine, (1, 2, 2)) if nearest else mean_of_pairs(fine, (1, 2, 2))
    np.testing.assert_array_equal(coarse, whole)
