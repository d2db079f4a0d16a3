"""The U-Net of insides and borders: its form, what it learns from, and its figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets import simulate_nuclei

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo import models  # noqa: E402
from scopezoo.models.border_evaluation import tally_classes, tune_settings  # noqa: E402
from scopezoo.models.border_unet import CLASSES, BorderUNet2d  # noqa: E402
from scopezoo.models.borders import (  # noqa: E402
    PLAIN_SETTINGS,
    border_classes,
    border_loss,
    border_settings,
    objects_of_classes,
    predict_classes,
)
from scopezoo.models.evaluation import evaluate  # noqa: E402

BACKGROUND, INSIDE, BORDER = range(3)


def one_hot(classes: np.ndarray) -> np.ndarray:
    return np.eye(len(CLASSES), dtype=np.float32)[classes].transpose(2, 0, 1)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_borders_part_all_objects(seed: int) -> None:
    _, labels = simulate_nuclei((80, 72), seed, nuclei=40)
    classes = border_classes(labels)
    assert np.array_equal(classes == BACKGROUND, labels == 0)
    down = (labels[1:] != labels[:-1]) & (labels[1:] > 0) & (labels[:-1] > 0)
    assert (classes[1:][down] == BORDER).all()
    assert (classes[:-1][down] == BORDER).all()


def test_probabilities_sum_to_one_at_any_legal_size() -> None:
    torch.manual_seed(0)
    network = BorderUNet2d(channels=(8, 12), features=8).eval()
    with torch.inference_mode():
        output = network(torch.randn(2, 1, 24, 40))
    assert output.shape == (2, 3, 24, 40)
    assert network.stride == 4
    np.testing.assert_allclose(output.sum(1), 1, atol=1e-5)
    image = np.random.default_rng(0).normal(size=(37, 22)).astype(np.float32)
    assert predict_classes(network, image).shape == (3, 37, 22)


def test_errors_at_borders_count_more() -> None:
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, BACKGROUND] = 4  # wrong at the border, right beside it
    classes = torch.tensor([[[BORDER, BACKGROUND]]])
    assert border_loss(logits, classes, 5.0) > border_loss(logits, classes, 1.0)


def test_thresholds_are_tuned_to_what_finds_most() -> None:
    _, labels = simulate_nuclei((96, 96), 1, nuclei=20)
    faint = one_hot(border_classes(labels)) * np.array([1, 0.45, 1], np.float32)[:, None, None]
    best, tally = tune_settings([(faint, labels)])
    assert best.inside_threshold < 0.45
    assert tally.average_precision()[0] > 0.9
    assert tally_classes([(faint, labels)], PLAIN_SETTINGS).average_precision()[0] == 0
    assert len(np.unique(objects_of_classes(faint, border_settings(0.3, 0.3)))) > 5


def test_it_trains_and_is_measured(border_recipe: Path, blobs: Path, tmp_path: Path) -> None:
    weights = models.train(border_recipe, blobs, tmp_path / "run", quiet=True)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    losses = [float(row.split(",")[2]) for row in rows[1:]]
    assert losses[-1] < losses[0]
    found = evaluate(border_recipe, blobs, weights)
    assert (found["images"], found["thresholds_tuned_on"]) == (1, "validation")
    assert found["thresholds"].keys() == {"inside", "mask"}
    precisions = [row["average_precision"] for row in found["table"]]
    assert precisions == sorted(precisions, reverse=True)
