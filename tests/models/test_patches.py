"""Training patches show what the field shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets import simulate_nuclei
from scopezoo.models.patches import Field, draw_patch, field_probabilities, normalise
from scopezoo.models.recipe import (
    Augmentation,
    Normalisation,
    StarDist3dTraining,
    read_recipe,
)
from tests.models.conftest import RECIPE

RECIPE_CONTENT = read_recipe(RECIPE)
STILL = {"gain": (1, 1), "offset": (0, 0), "gamma": (1, 1), "noise": (0, 0), "blur_px": (0, 0)}


def training(**changes: Any) -> Any:
    augmentation = Augmentation(**{"scale": (0.7, 1.4), **STILL})
    return RECIPE_CONTENT.training.model_copy(
        update={"augmentation": augmentation, "patch_px": 48} | changes
    )


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(20, 120),
    width=st.integers(20, 120),
    seed=st.integers(0, 10_000),
    foreground=st.sampled_from([0.0, 1.0]),
)
def test_image_and_labels_stay_together(
    height: int, width: int, seed: int, foreground: float
) -> None:
    labels = (np.indices((height, width)).sum(0) // 16 + 1).astype(np.int32)
    field = Field(labels.astype(np.float32), labels, "stripes")
    rng = np.random.default_rng(seed)
    image, patch = draw_patch(field, training(foreground=foreground), rng)
    assert image.shape == patch.shape == (48, 48)
    assert image.dtype == np.float32
    assert set(np.unique(patch)) <= set(np.unique(labels))
    assert np.abs(image - patch).max() <= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 20), st.integers(20, 90), st.integers(0, 10_000))
def test_stacks_are_cut_and_varied_like_planes(depth: int, side: int, seed: int) -> None:
    labels = (np.indices((depth, side, side)).sum(0) // 9 + 1).astype(np.int32)
    field = Field(labels.astype(np.float32), labels, "stripes")
    plain = training(foreground=1.0)
    plan = StarDist3dTraining(**plain.model_dump(), patch_planes=8)
    image, patch = draw_patch(field, plan, np.random.default_rng(seed))
    assert image.shape == patch.shape == (8, 48, 48)
    assert np.abs(image - patch).max() <= 1


def test_a_patch_on_an_object_holds_one() -> None:
    image, labels = simulate_nuclei((400, 400), seed=1, nuclei=1, diameter_px=(10, 12))
    assert labels.max() == 1
    field = Field(image, labels, "lonely")
    patches = [
        draw_patch(field, training(foreground=1.0), np.random.default_rng(i)) for i in range(20)
    ]
    assert all(patch.any() for _, patch in patches)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.5, 50), offset=st.floats(-20, 100), seed=st.integers(0, 50))
def test_normalised_images_do_not_depend_on_gain_and_offset(
    gain: float, offset: float, seed: int
) -> None:
    image, _ = simulate_nuclei((40, 40), seed)
    how = Normalisation(low_percentile=1, high_percentile=99.8)
    wanted = normalise(image, how)
    np.testing.assert_allclose(normalise(image * gain + offset, how), wanted, atol=1e-3)


def test_rare_kinds_of_image_are_drawn_more_often_than_their_share() -> None:
    image, labels = simulate_nuclei((40, 40), seed=1)
    fields = [Field(image, labels, "common")] * 9 + [Field(image, labels, "rare")]
    drawn = field_probabilities(fields)
    assert np.isclose(drawn.sum(), 1)
    assert 0.1 < drawn[-1] < 0.5
