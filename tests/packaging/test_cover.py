"""Cover and sample images: what the zoo asks, and what ImageJ reads."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from scopezoo.packaging.cover import cover_png, sample_tiff, tensor_image
from tests.packaging.conftest import Packaged


def test_the_cover_is_twice_as_wide_as_high(tiny: Packaged, foreign: Packaged) -> None:
    for made in (tiny, foreign):
        path = made.folder / "cover.png"
        assert path.stat().st_size < 500_000
        with Pillow.open(path) as picture:
            assert picture.width == 2 * picture.height
            pixels = np.asarray(picture.convert("RGB"))
        left, right = np.split(pixels, 2, axis=1)
        assert left.std() > 5
        assert right.std() > 5
    assert np.ptp(right.astype(int), axis=-1).max() == 0, "an image is grey"


def test_labels_are_in_colour_on_the_right_only() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((1, 64, 64, 1), np.int32)
    labels[0, 10:30, 10:30], labels[0, 40:60, 40:60] = 1, 2
    pixels = tensor_image(rng.random((1, 1, 64, 64), np.float32), "bcyx")
    content = cover_png(pixels, tensor_image(labels, "byxc"), is_labels=True)
    picture = np.asarray(Pillow.open(io.BytesIO(content)).convert("RGB")).astype(int)
    colour = np.ptp(picture, axis=-1).max(axis=0)
    assert colour[: picture.shape[1] // 2].max() == 0
    assert colour[picture.shape[1] // 2 :].max() > 50


@pytest.mark.parametrize(
    ("array", "axes", "expected_axes", "dtype"),
    [
        (np.arange(12.0).reshape(1, 1, 3, 4), "bcyx", "YX", np.uint8),
        (np.arange(24).reshape(1, 3, 4, 2) * 1000, "byxc", "CYX", np.uint16),
        (np.linspace(0, 1, 24).reshape(1, 2, 1, 3, 4), "bczyx", "ZCYX", np.float32),
    ],
)
def test_samples_are_imagej_files_of_the_smallest_type(
    array: np.ndarray, axes: str, expected_axes: str, dtype: type
) -> None:
    image = tensor_image(array, axes)
    content = sample_tiff(image)
    assert content == sample_tiff(image)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        assert file.is_imagej
        found = file.asarray()
    assert found.dtype == dtype
    assert set(image.axes) == set(expected_axes)
    order = [image.axes.index(axis) for axis in expected_axes]
    expected = np.asarray(image.data).transpose(order)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-6)
