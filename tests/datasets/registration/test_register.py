from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopezoo.datasets.registration import Registration, picture, register
from scopezoo.errors import IncompatibleImageError, UsageError
from scopezoo.image import Image
from tests.datasets.registration.rendered import (
    SOURCE,
    SOURCE_PLANE,
    TARGET,
    TARGET_PLANE,
    Grid,
    error_um,
    noisy,
    pair,
)

Change = Callable[[Image], Image]


def changed(image: Image, **sizes: float) -> Image:
    return replace(image, pixel_size_um={**image.pixel_size_um, **sizes})


def flipped(image: Image, axis: str) -> Image:
    return replace(image, data=np.flip(image.read(), image.axes.index(axis)).copy())


@pytest.mark.parametrize(
    ("source", "target"), [(SOURCE, TARGET), (SOURCE_PLANE, TARGET_PLANE)], ids=["stack", "plane"]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_known_transform_is_found_and_judged(seed: int, source: Grid, target: Grid) -> None:
    moving, fixed, known = pair(seed, source, target)
    found = register(moving, fixed)
    assert found.quality.passed, found.quality.reasons
    error = error_um(found.matrix, known, source)
    lateral_px = np.hypot(error[:, 1], error[:, 2]) / 0.1
    assert np.sqrt((lateral_px**2).mean()) < 0.1
    assert np.sqrt((error[:, 0] ** 2).mean()) < 0.05
    judged = found.quality.residual_median_px
    assert judged is not None
    assert abs(judged - np.median(lateral_px)) < 0.1


def test_a_scaled_pair_needs_more_than_a_rigid_transform() -> None:
    centre_source, centre_target = (g.extent_um / 2 for g in (SOURCE_PLANE, TARGET_PLANE))
    matrix = np.diag([1, 1.01, 1.01, 1.0])
    matrix[:3, 3] = centre_target - matrix[:3, :3] @ centre_source
    moving, fixed, known = pair(5, SOURCE_PLANE, TARGET_PLANE, matrix)
    for model in ("similarity", "affine"):
        found = register(moving, fixed, model=model)
        assert found.quality.passed, found.quality.reasons
        error = error_um(found.matrix, known, SOURCE_PLANE)
        assert np.abs(error).max() < 0.03


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda image: flipped(image, "X"), "mirrored"),
        (lambda image: changed(image, Y=0.25, X=0.25), "pixel size"),
        (lambda image: replace(image, data=np.full(image.shape, 3.0, np.float32)), "blank"),
        (
            lambda image: replace(image, data=noisy(np.zeros(image.shape, np.float32), 3)),
            "blank",
        ),
        (
            lambda image: replace(
                image, data=np.where(np.arange(image.size("X")) == 4, np.nan, image.read())
            ),
            "NaN",
        ),
        (lambda image: replace(image, data=image.read()[:9, :9]), "too small"),
        (lambda _: pair(0)[0], "stack"),
        (lambda _: pair(99, SOURCE_PLANE, TARGET_PLANE)[0], ""),
    ],
    ids=["mirrored", "pixel size", "constant", "noise", "nan", "tiny", "stack", "other field"],
)
def test_a_pair_that_cannot_fit_is_marked_with_the_reason(change: Change, says: str) -> None:
    source, target, _ = pair(3, SOURCE_PLANE, TARGET_PLANE)
    found = register(change(source), target)
    assert not found.quality.passed
    assert any(says in reason for reason in found.quality.reasons)
    assert picture(change(source), target, found).startswith(b"\x89PNG")


@pytest.mark.slow  # test_register_all.py has such a pair
def test_planes_in_the_wrong_order_are_told() -> None:
    source, target, _ = pair(0)
    found = register(flipped(source, "Z"), target)
    assert not found.quality.passed
    assert "order of the planes" in found.quality.reasons[0]


@pytest.mark.slow
def test_a_wrong_z_step_is_told() -> None:
    grids = Grid((24, 128, 128), (0.3, 0.16, 0.16)), Grid((40, 128, 128), (0.2, 0.1, 0.1))
    source, target, _ = pair(4, *grids, count=300)
    found = register(changed(source, Z=0.36), target)
    assert not found.quality.passed
    assert any("along z" in reason or "axial" in reason for reason in found.quality.reasons)


def test_inverted_contrast_is_registered() -> None:
    source, target, known = pair(6, SOURCE_PLANE, TARGET_PLANE)
    found = register(replace(source, data=400 - source.read()), target)
    assert found.quality.passed, found.quality.reasons
    assert np.abs(error_um(found.matrix, known, SOURCE_PLANE)).max() < 0.05


def test_what_is_asked_wrongly_is_an_error() -> None:
    source, target, _ = pair(0, SOURCE_PLANE, TARGET_PLANE)
    with pytest.raises(UsageError, match="no pixel size"):
        register(replace(source, pixel_size_um={}), target)
    two = Image(np.stack([source.read()] * 2), "CYX", source.pixel_size_um, None, ("a", "b"))
    with pytest.raises(UsageError, match="2 channels"):
        register(two, target)
    with pytest.raises(IncompatibleImageError, match="no channel 'c'"):
        register(two, target, source_channel="c")
    with pytest.raises(UsageError, match="model"):
        register(source, target, model="bent")  # type: ignore[arg-type]


def test_two_rounds_of_one_tissue(shared_data: Path) -> None:
    folder = shared_data / "neubias_spatial_omics" / "spatial_omics_dapi"
    source, target = (
        Image(tifffile.imread(folder / f"{name}_downsampled.tiff"), "YX", {"Y": 0.5, "X": 0.5})
        for name in ("anchor_nuclei", "r1_DAPI")
    )
    found: Registration = register(source, target)
    quality = found.quality
    assert quality.passed, quality.reasons
    assert quality.similarity_before == pytest.approx(0.70, abs=0.01)
    assert (quality.similarity_after or 0) >= 0.93
