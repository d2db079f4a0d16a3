from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import resize

from scopezoo.errors import UsageError
from scopezoo.image import Image
from scopezoo.predict.rescale import Rescaled, rescaled_image, resized_image

size = st.integers(1, 40)
shape_2d = st.tuples(size, size)


@st.composite
def region(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[slice, ...]:
    starts = [draw(st.integers(0, n - 1)) for n in shape]
    stops = [draw(st.integers(a, n)) for a, n in zip(starts, shape, strict=True)]
    return tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))


def noise(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return (np.random.default_rng(0).random(shape) * 1000).astype(dtype)


class Watched:
    """An array that remembers how much was read from it at once."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype
        self.most = 0

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        part = self.pixels[index]
        self.most = max(self.most, part.size)
        return part


@given(shape_2d, shape_2d, st.sampled_from(["uint8", "uint16", "float32", "float64"]))
def test_linear_is_that_of_skimage_resize(
    source: tuple[int, int], target: tuple[int, int], dtype: str
) -> None:
    pixels = noise(source, dtype) / (5 if dtype == "uint8" else 1)
    pixels = pixels.astype(dtype)
    found = Rescaled(pixels, target, order=1)[:, :]
    wanted = resize(
        pixels.astype("float64"), target, order=1, anti_aliasing=True, preserve_range=True
    )
    assert found.dtype == Rescaled(pixels, target, order=1).dtype
    np.testing.assert_allclose(found, wanted, atol=2e-3 if dtype != "float64" else 1e-9)


@given(shape_2d, shape_2d)
def test_nearest_takes_the_pixel_under_the_centre(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    labels = np.random.default_rng(1).integers(0, 2**32, source, dtype=np.uint32)
    found = Rescaled(labels, target, order=0)[:, :]
    centres = [
        np.clip(np.floor((np.arange(n) + 0.5) * m / n + 1e-9).astype(int), 0, m - 1)
        for m, n in zip(source, target, strict=True)
    ]
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, labels[np.ix_(*centres)])


@given(st.data(), shape_2d, shape_2d, st.sampled_from([0, 1]))
def test_a_region_is_the_slice_of_the_whole(
    data: st.DataObject, source: tuple[int, int], target: tuple[int, int], order: int
) -> None:
    view = Rescaled(noise(source), target, order=order)  # type: ignore[arg-type]
    part = data.draw(region(target))
    whole = view[:, :]
    assert whole.shape == view.shape == target
    np.testing.assert_array_equal(view[part], whole[part])


@given(shape_2d, st.floats(0.3, 4))
def test_there_and_back_has_the_same_grid(source: tuple[int, int], factor: float) -> None:
    image = Image(noise(source), "YX", {"Y": 0.5, "X": 0.25})
    there = rescaled_image(image, {"Y": factor, "X": factor})
    back = resized_image(there, {"Y": image.size("Y"), "X": image.size("X")})
    assert back.shape == image.shape
    for axis in "YX":
        field = image.size(axis) * image.pixel_size_um[axis]
        assert there.size(axis) * there.pixel_size_um[axis] == pytest.approx(field)
        assert back.pixel_size_um[axis] == pytest.approx(image.pixel_size_um[axis])


def test_a_smooth_picture_survives_there_and_back() -> None:
    y, x = np.mgrid[:120, :90]
    pixels = np.sin(y / 15) + np.cos(x / 12)
    image = Image(pixels, "YX")
    half = rescaled_image(image, {"Y": 0.5, "X": 0.5})
    back = resized_image(half, {"Y": 120, "X": 90}).read()
    assert np.abs(back - pixels)[4:-4, 4:-4].max() < 0.02


def test_only_space_is_rescaled_and_the_pixel_size_follows() -> None:
    sizes = {"Z": 1.0, "Y": 0.2, "X": 0.2}
    image = Image(noise((2, 10, 3, 20, 31)), "TZCYX", sizes, 60.0, ("a", "b", "c"))
    found = rescaled_image(image, {"Z": 2, "Y": 0.5, "X": 0.5})
    assert found.shape == (2, 20, 3, 10, 16)
    assert found.pixel_size_um == pytest.approx({"Z": 0.5, "Y": 0.4, "X": 0.2 * 31 / 16})
    assert (found.channel_names, found.frame_interval_s) == (("a", "b", "c"), 60.0)
    one = found.read(T=slice(1, 2), C=slice(2, 3))
    np.testing.assert_array_equal(one, found.read()[1:2, :, 2:3])


def test_what_is_read_is_bounded_by_the_region() -> None:
    source = Watched(np.zeros((2000, 2000), np.uint16))
    Rescaled(source, (1000, 1000), order=1)[slice(400, 450), slice(0, 50)]
    assert source.most <= 110**2


def test_wrong_factors_and_axes_are_refused() -> None:
    image = Image(noise((3, 8, 8)), "CYX")
    for factors in ({"Y": 0.0}, {"X": float("nan")}, {"C": 2.0}, {"Z": 2.0}):
        with pytest.raises(UsageError, match="cannot rescale"):
            rescaled_image(image, factors)
    with pytest.raises(UsageError, match="cannot be rescaled"):
        Rescaled(image.data, (3, 0, 8), order=1)
