"""What of a pair is compared: what both saw, and no more than fits in memory."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scopezoo.datasets.paired.sampling import GriddedImage
from scopezoo.errors import IncompatibleImageError
from scopezoo.image import Image
from scopezoo.validation.quality import field as field_module
from scopezoo.validation.quality.cases import PairCase
from scopezoo.validation.quality.field import predicted_field, read_field

VOXEL = (1.0, 1.0, 1.0)


def case(
    source: NDArray[np.float32], target: NDArray[np.float32], shift: tuple[float, float, float]
) -> PairCase:
    """The target's first voxel lies at `shift` of the source."""
    matrix = np.eye(4)
    matrix[:3, 3] = np.negative(shift)
    grids = [GriddedImage(Image(pixels, "ZYX"), VOXEL, 0) for pixels in (source, target)]
    return PairCase("a", "s", grids[0].image, None, grids[0], grids[1], matrix, None)


NOISE = np.random.default_rng(0).random((6, 40, 50), dtype=np.float32)


def test_the_common_part_is_compared_voxel_by_voxel() -> None:
    target = NOISE[1:5, 10:30, 20:45]
    one = case(NOISE, target, (1, 10, 20))
    found = read_field(one)
    assert found.is_whole
    assert found.seen.sum() == target.size
    np.testing.assert_allclose(found.source[found.seen], found.target[found.seen], rtol=1e-5)
    np.testing.assert_array_equal(predicted_field(Image(NOISE, "ZYX"), one, found), found.source)


def test_of_a_large_field_the_middle_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_module, "LARGEST_PX", 1500)
    found = read_field(case(NOISE, NOISE, (0, 0, 0)))
    assert not found.is_whole
    assert found.source.size <= 1500
    for part, size in zip(found.region, NOISE.shape, strict=True):
        assert abs((part.start + part.stop) / 2 - size / 2) <= 1
    np.testing.assert_allclose(found.source, found.target, rtol=1e-5)


def test_images_that_do_not_overlap_are_told() -> None:
    with pytest.raises(IncompatibleImageError, match="do not overlap"):
        read_field(case(NOISE, NOISE, (0, 200, 0)))


def test_pixels_that_are_no_numbers_are_told() -> None:
    broken = NOISE.copy()
    broken[2, 3, 4] = np.nan
    with pytest.raises(IncompatibleImageError, match="its source has pixels that are NaN"):
        read_field(case(broken, NOISE, (0, 0, 0)))
    one = case(NOISE, NOISE, (0, 0, 0))
    with pytest.raises(IncompatibleImageError, match="output has pixels that are NaN"):
        predicted_field(Image(broken, "ZYX"), one, read_field(one))


def test_an_output_on_another_grid_is_told() -> None:
    one = case(NOISE, NOISE, (0, 0, 0))
    with pytest.raises(IncompatibleImageError, match="only results on the input's grid"):
        predicted_field(Image(NOISE[:, ::2], "ZYX"), one, read_field(one))
    with pytest.raises(IncompatibleImageError, match="one channel is measured"):
        predicted_field(Image(np.stack([NOISE] * 2), "CZYX"), one, read_field(one))
