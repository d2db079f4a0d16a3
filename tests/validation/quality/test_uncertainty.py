"""How well the spread tracks the error: against known relations, and in the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scopezoo.errors import UsageError
from scopezoo.validation.quality import measure_quality, write_quality
from scopezoo.validation.quality.uncertainty import QUANTILES, tracking, tracking_summary
from tests import small_models as small
from tests.validation.quality.subjects import noisy_pairs, nuclei, threshold_model


@settings(deadline=None)
@given(st.integers(2, 400), st.integers(0, 1000), st.booleans())
def test_correlations_are_those_of_scipy(size: int, seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    prediction, target = rng.normal(size=(2, size))
    spread = rng.integers(0, 4, size).astype(float) if ties else rng.random(size)
    found = tracking(prediction, spread, target)
    errors = np.abs(prediction - target)
    if np.ptp(spread) > 0:
        assert found["pearson_r"] == pytest.approx(stats.pearsonr(spread, errors)[0], abs=1e-9)
        assert found["spearman_r"] == pytest.approx(stats.spearmanr(spread, errors)[0], abs=1e-9)
    spreads = [one["spread"] for one in found["by_spread"]]
    assert spreads == sorted(spreads)
    assert len(spreads) == min(QUANTILES, size)
    counts = [len(part) for part in np.array_split(np.arange(size), len(spreads))]
    means = [one["mean_error"] for one in found["by_spread"]]
    assert np.average(means, weights=counts) == pytest.approx(errors.mean())


def test_a_spread_that_is_right_is_told_from_one_that_is_not() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.1, 2, (1, 200, 200))
    target = rng.normal(size=spread.shape)
    prediction = target + spread * rng.normal(size=spread.shape)
    right = tracking(prediction, spread, target)
    assert right["spearman_r"] > 0.3
    for one in right["by_spread"]:
        assert one["rms_error"] == pytest.approx(one["spread"], rel=0.1)
    wrong = tracking(prediction, rng.permutation(spread.ravel()).reshape(spread.shape), target)
    assert abs(wrong["spearman_r"]) < 0.05
    constant = tracking(prediction, np.ones_like(spread), target)
    assert constant["pearson_r"] is None
    both = tracking_summary([right, constant])
    assert both["spearman_r"] == right["spearman_r"]
    assert both["images"] == 2


def test_it_is_part_of_the_report(tmp_path: Path) -> None:
    model = small.write_package(tmp_path / "m", small.image_model(2), small.encoder_decoder(2))
    pairs = str(noisy_pairs(tmp_path / "d"))
    found = measure_quality(str(model), pairs, "all", uncertainty="tta")
    plain = measure_quality(str(model), pairs, "all")
    assert "uncertainty" not in plain.summary
    without = {k: v for k, v in found.summary.items() if k != "uncertainty"}
    assert without == plain.summary
    assert found.summary["uncertainty"]["images"] == len(found.rows) == 3
    assert len(found.summary["uncertainty"]["by_spread"]) == QUANTILES
    files = {path.name: path.read_text() for path in write_quality(found, tmp_path / "report")}
    told = json.loads(files["quality.json"])
    assert told["command"].endswith("--uncertainty tta")
    assert -1 <= told["cases"][0]["uncertainty"]["spearman_r"] <= 1
    for name in ("quality.md", "quality.html"):
        assert "Uncertainty by test-time augmentation" in files[name]
        assert "rank correlation" in files[name]


def test_of_objects_it_is_about_wrong_pixels(tmp_path: Path) -> None:
    pytest.importorskip("stardist")
    model = threshold_model(tmp_path / "m")
    found = measure_quality(str(model), str(nuclei(tmp_path / "d")), uncertainty="tta")
    row = found.rows[0].figures["uncertainty"]
    assert row["mean_spread"] == 0  # each pixel by itself: turning changes nothing
    assert 0 <= row["mean_error"] <= 1
    assert row["pearson_r"] is None


def test_what_cannot_be_measured_is_told_at_once(tmp_path: Path) -> None:
    pairs = str(noisy_pairs(tmp_path / "d"))
    own = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}]
    rdf = small.image_model(2, postprocessing=own)
    model = str(small.write_package(tmp_path / "m", rdf, small.encoder_decoder(2)))
    with pytest.raises(UsageError, match="statistics of the whole output"):
        measure_quality(model, pairs, "all", uncertainty="tta")
    with pytest.raises(UsageError, match="expected one of tta"):
        measure_quality(model, pairs, "all", uncertainty="dropout")
