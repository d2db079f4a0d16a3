"""Scores of objects: those of stardist.matching, also in sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("stardist")

from stardist.matching import matching_dataset

from scopezoo.predict import predict
from scopezoo.validation.quality import measure_quality
from scopezoo.validation.quality.segmentation import (
    OVERLAPS,
    match_objects,
    median_diameter_px,
    object_scores,
)
from scopezoo.validation.quality.summary import segmentation_summary
from tests.predict.test_instances import border_model
from tests.validation.quality.subjects import nuclei

LIBRARY = {
    "average_precision": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "panoptic_quality": "panoptic_quality",
}


def squares(rng: np.random.Generator, shift_px: int, lost: float) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    """Squares on a grid, and the same somewhat shifted, some missing; with gaps in the numbers."""
    truth, found = np.zeros((2, 1, 60, 60), np.int64)
    for number, (y, x) in enumerate(np.ndindex(5, 5), start=1):
        side = int(rng.integers(5, 10))
        truth[0, 12 * y : 12 * y + side, 12 * x : 12 * x + side] = 3 * number
        if rng.random() >= lost:
            dy, dx = rng.integers(0, shift_px + 1, 2)
            found[0, 12 * y + dy : 12 * y + dy + side, 12 * x + dx : 12 * x + dx + side] = (
                7 * number
            )
    return truth, found


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shift_px=st.integers(0, 3),
    lost=st.floats(0, 0.8),
    images=st.integers(1, 4),
)
def test_scores_of_all_images_are_those_of_the_library(
    seed: int, shift_px: int, lost: float, images: int
) -> None:
    rng = np.random.default_rng(seed)
    pairs = [squares(rng, shift_px, lost) for _ in range(images)]
    rows = [
        {
            "likeness": None,
            "true_diameter_px": median_diameter_px(truth),
            "found_diameter_px": median_diameter_px(found),
            **match_objects(truth, found),
        }
        for truth, found in pairs
    ]
    expected = matching_dataset(
        [truth for truth, _ in pairs],
        [found for _, found in pairs],
        thresh=OVERLAPS,
        show_progress=False,
        parallel=False,
    )
    summary = segmentation_summary(rows)
    for own, library in zip(summary["by_iou"], expected, strict=True):
        assert (own["tp"], own["fp"], own["fn"]) == (library.tp, library.fp, library.fn)
        for key, name in LIBRARY.items():
            assert own[key] == pytest.approx(getattr(library, name))
    assert summary["true_objects"] == expected[0].n_true
    assert summary["found_objects"] == expected[0].n_pred


def test_matched_objects_keep_their_own_numbers() -> None:
    truth, found = squares(np.random.default_rng(0), 0, 0.4)
    matched = match_objects(truth, found)["matched"]
    assert {true for true, _ in matched} == {int(n) // 7 * 3 for n in np.unique(found) if n}
    assert all(true / 3 == own / 7 for true, own in matched)


def test_an_empty_image_without_objects_is_right() -> None:
    empty = np.zeros((1, 20, 20), np.int64)
    scores = match_objects(empty, empty)["by_iou"][0]
    assert scores["average_precision"] == scores["panoptic_quality"] == 1
    one = empty.copy()
    one[0, 5:9, 5:9] = 1
    assert match_objects(empty, one)["by_iou"][0]["average_precision"] == 0
    assert object_scores(tp=0, fp=0, fn=3, iou_sum=0)["recall"] == 0


def test_diameters_of_a_disc_and_a_ball() -> None:
    z, y, x = np.ogrid[-12:13, -12:13, -12:13]
    ball = (z**2 + y**2 + x**2 <= 100).astype(int)
    assert median_diameter_px(ball) == pytest.approx(20, rel=0.02)
    assert median_diameter_px(ball[12:13]) == pytest.approx(20, rel=0.03)
    assert median_diameter_px(ball * 0) is None


def test_objects_of_probabilities_are_those_that_predict_finds(tmp_path: Path) -> None:
    model, data = border_model(tmp_path / "model"), nuclei(tmp_path / "cells")
    found = measure_quality(str(model), str(data), "all", uncertainty="tta")
    assert found.rows
    for row in found.rows:
        image = tifffile.imread(data / "images" / f"{row.id}.tif")
        labels = predict(model, image, axes="YX", instances=True).images["labels"].read()
        assert row.figures["found_objects"] == labels.max()
        assert row.figures["uncertainty"]["mean_spread"] > 0
