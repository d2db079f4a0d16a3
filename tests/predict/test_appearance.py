"""Figures of how an image looks: what changes them and what does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scopezoo.image import Image
from scopezoo.predict.appearance import FAINT, FIGURES, appearance

NAMES = list(FIGURES)


def scene(seed: int = 0, noise: float = 0.01, size: int = 300) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.random((size, size)) > 0.995, 4.0, output=float)
    smooth /= smooth.max()
    return smooth + rng.normal(0, noise, smooth.shape)


def figures(pixels: NDArray[np.generic], axes: str = "YX") -> dict[str, float]:
    found = appearance(Image(pixels, axes), [0])
    assert found is not None
    return dict(zip(NAMES, found.tolist(), strict=True))


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.1, 1e4), offset=st.floats(-1e3, 1e3))
def test_gain_and_offset_change_nothing(gain: float, offset: float) -> None:
    one, other = figures(scene()), figures(gain * scene() + offset)
    for name in NAMES:
        assert other[name] == pytest.approx(one[name], abs=1e-3)


@pytest.mark.parametrize("noise", [0.003, 0.01, 0.05])
def test_noise_is_measured_whatever_is_in_the_image(noise: float) -> None:
    pixels = scene(noise=noise)
    span = np.subtract(*np.percentile(pixels, [99.8, 1]))
    assert 10 ** figures(pixels)["noise"] - FAINT == pytest.approx(noise / span, rel=0.15)


@pytest.mark.parametrize("period", [48, 24, 12, 6, 3])
def test_detail_is_counted_where_its_period_is(period: int) -> None:
    y, x = np.mgrid[:256, :256]
    found = figures(np.sin(2 * np.pi * x / period) + np.sin(2 * np.pi * y / period))
    bands = {name: value for name, value in found.items() if name.startswith("detail")}
    low, high = {48: (32, 64), 24: (16, 32), 12: (8, 16), 6: (4, 8), 3: (2, 4)}[period]
    assert max(bands, key=lambda name: bands[name]) == f"detail_{low}_to_{high}_px"


class Counting:
    """Counts the pixels that are read."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype, self.read = shape, np.dtype(np.uint16), 0

    def __getitem__(self, region: tuple[slice, ...]) -> NDArray[np.uint16]:
        sizes = [len(range(*part.indices(n))) for part, n in zip(region, self.shape, strict=True)]
        self.read += int(np.prod(sizes))
        return np.random.default_rng(0).integers(0, 900, sizes, dtype=np.uint16)


def test_of_a_huge_image_a_fixed_number_of_pixels_is_read() -> None:
    pixels = Counting((500, 2, 90_000, 80_000))
    assert appearance(Image(pixels, "ZCYX"), [1]) is not None
    assert pixels.read == 8 * 16 * 128**2


@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 2), "YX"), ((1, 300), "YX"), ((3, 5, 40, 33), "TZYX")]
)
def test_any_shape_has_finite_figures(shape: tuple[int, ...], axes: str) -> None:
    pixels = np.random.default_rng(0).random(shape)
    assert np.isfinite(list(figures(pixels, axes).values())).all()


def test_flat_images_and_pixels_that_are_no_numbers() -> None:
    assert np.isfinite(list(figures(np.full((50, 50), 7)).values())).all()
    pixels = scene()
    pixels[:20] = np.nan
    assert np.isfinite(list(figures(pixels).values())).all()
    assert appearance(Image(np.full((50, 50), np.nan), "YX"), [0]) is None
