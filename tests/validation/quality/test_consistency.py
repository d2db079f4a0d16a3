"""A result blurred again: what was planted shows, what is true does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scopezoo.datasets.paired.manifest import Instrument
from scopezoo.validation.quality.blur import Blur, best_blur, candidates
from scopezoo.validation.quality.consistency import STRONG, consistency

VOXEL_UM = (0.3, 0.16, 0.16)
SHAPE = (24, 112, 112)


def structures(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    image = np.zeros(SHAPE)
    for z, y, x in rng.integers(0, SHAPE, (60, 3)):
        image[z, y, x] = rng.uniform(500, 3000)
    return gaussian_filter(image, (1, 1.2, 1.2)).astype(np.float32)


def taken(blur: Blur, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Source, blurred and with the noise of photons, and target."""
    target = structures(seed)
    rng = np.random.default_rng(seed + 100)
    source = rng.poisson(np.maximum(20 + 8 * blur.apply(target), 0))
    return source.astype(np.float32), target


TRIED = candidates(None, VOXEL_UM, planes=24)


@pytest.mark.parametrize("true", TRIED, ids=lambda blur: blur.name)
def test_the_blur_is_told_from_pairs(true: Blur) -> None:
    assert best_blur(TRIED, [taken(true, seed) for seed in range(2)]).name == true.name


def test_the_microscope_s_own_psf_is_tried() -> None:
    told = Instrument(
        id="wf", modality="widefield", na=1.3, wavelength_um=0.52, excitation_um=0.488
    )
    tried = candidates(told, VOXEL_UM, planes=24)
    psf = tried[-1]
    assert psf.name == "PSF of wf"
    assert psf.kernel is not None
    assert float(psf.kernel.sum()) == pytest.approx(1, abs=1e-4)
    assert best_blur(tried, [taken(psf, 3)]).name == psf.name
    assert candidates(None, VOXEL_UM, planes=24)[-1].name != psf.name
    blunt = Instrument(id="x", modality="widefield", na=1.6, wavelength_um=0.52)
    assert len(candidates(blunt, VOXEL_UM, planes=24)) == len(TRIED)


def test_what_was_planted_shows_where_it_is() -> None:
    blur = TRIED[3]
    source, target = taken(blur, 1)
    honest = consistency(source, target, target, blur)
    assert honest.invented == honest.target_invented < 0.01
    place = (12, 40, 70)
    planted = target.copy()
    planted[tuple(slice(at - 2, at + 3) for at in place)] += float(target.max())
    found = consistency(source, planted, target, blur)
    worst = np.unravel_index(found.deviations.argmax(), found.deviations.shape)
    assert (
        np.abs(
            [
                at + part.start - there
                for at, part, there in zip(worst, found.inner, place, strict=True)
            ]
        ).max()
        <= 2
    )
    assert found.deviations.max() > 5 * STRONG
    assert found.invented > honest.invented
    assert found.r < honest.r


def test_what_was_left_out_shows_as_missing() -> None:
    blur = TRIED[3]
    source, target = taken(blur, 2)
    less = target.copy()
    less[:, :, :56] = 0
    found = consistency(source, less, target, blur)
    assert found.missing > 5 * max(found.target_missing, 1e-3)


def test_gain_and_offset_do_not_matter() -> None:
    blur = TRIED[2]
    source, target = taken(blur, 4)
    one, other = (consistency(source, image, target, blur) for image in (target, 3 * target + 50))
    np.testing.assert_allclose(one.deviations, other.deviations, atol=1e-2)


def test_a_small_plane_is_not_cropped_away() -> None:
    tried = candidates(None, (1.0, 1.0, 1.0), planes=1)
    target = structures(0)[12:13, :20, :20]
    found = consistency(target + 1, target, target, tried[-1])
    assert found.deviations.shape[1] >= 10
