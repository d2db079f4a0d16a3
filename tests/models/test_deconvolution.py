"""Deconvolution: the same as scikit-image's, and light goes back to where it came from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from scopezoo.models.deconvolution import FAINT_LIGHT, deconvolved

SIGMA_PX = (0.8, 1.5, 1.5)


def point_spread(shape: tuple[int, int, int]) -> np.ndarray:
    point = np.zeros(shape, np.float32)
    point[tuple(size // 2 for size in shape)] = 1
    psf = gaussian_filter(point, SIGMA_PX)
    return psf / psf.sum()


@pytest.mark.parametrize("psf_shape", [(5, 9, 9), (17, 9, 11)])
def test_it_is_that_of_scikit_image(psf_shape: tuple[int, int, int]) -> None:
    from skimage.restoration import richardson_lucy

    stack = np.random.default_rng(0).poisson(30, (9, 20, 23)).astype(np.float32)
    psf = point_spread(psf_shape)
    light = np.maximum(stack - np.percentile(stack, 1), 0)
    given = (light / light.max() + FAINT_LIGHT).astype(np.float32)
    found = deconvolved(stack, psf, (3, 8))
    assert list(found) == [3, 8]
    for count, image in found.items():
        wanted = richardson_lucy(given, psf, num_iter=count, clip=False)
        np.testing.assert_allclose(image, wanted, rtol=1e-3, atol=1e-5)


def test_points_get_sharp_where_they_were() -> None:
    truth = np.zeros((9, 32, 32), np.float32)
    truth[4, 10, 10] = truth[4, 10, 16] = 100
    image = gaussian_filter(truth, SIGMA_PX, mode="constant") + 20
    found = deconvolved(image, point_spread((5, 9, 9)), (30,))[30]
    assert found.shape == image.shape
    assert np.unravel_index(found.argmax(), found.shape)[:2] == (4, 10)
    assert found.max() / found.sum() > 2 * (image - 20).max() / (image - 20).sum()
