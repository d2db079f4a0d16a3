"""Synthetic images: their training, what they are made from, and their measure."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo import models  # noqa: E402
from scopezoo.errors import UsageError  # noqa: E402
from scopezoo.models import synthesis_evaluation  # noqa: E402
from scopezoo.models.evaluation import evaluate  # noqa: E402
from scopezoo.models.network import load_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402
from scopezoo.models.synthesis import SynthesisTask, make_image  # noqa: E402


@pytest.fixture
def weights(small_synthesis: Path, blobs: Path, tmp_path: Path) -> Path:
    return models.train(small_synthesis, blobs, tmp_path / "run", quiet=True)


def test_it_learns_and_keeps_the_generator_alone(
    weights: Path, small_synthesis: Path, tmp_path: Path
) -> None:
    with (tmp_path / "run" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    differences = [float(row["difference"]) for row in rows]
    assert differences[-1] < 0.8 * differences[0]
    assert {"critic", "fooled"} <= rows[0].keys()
    assert not any("critic" in key for key in torch.load(weights, weights_only=True))
    network = load_network(read_recipe(small_synthesis), weights)
    labels = np.zeros((37, 50), np.int32)
    labels[10:25, 10:25] = 1
    made = make_image(network, labels)  # type: ignore[arg-type]
    assert made.shape == labels.shape
    assert np.array_equal(made, make_image(network, labels))  # type: ignore[arg-type]


def test_a_batch_is_that_of_its_seed_and_images_of_the_test_part_are_not_read(
    small_synthesis: Path, blobs: Path, tmp_path: Path
) -> None:
    recipe = read_recipe(small_synthesis)
    task = SynthesisTask(recipe, small_synthesis, blobs)  # type: ignore[arg-type]
    given, wanted = task.batch(np.random.default_rng(3))
    assert given.shape == (2, 3, 48, 48)
    assert wanted.shape == (2, 1, 48, 48)
    assert (given[:, :1].round() - given[:, :1]).abs().max() < 0.46
    assert 0.02 < float((given[:, 1:2] - wanted).std()) < 0.04
    other = tmp_path / "other"
    shutil.copytree(blobs, other)
    (other / "images" / "4.tif").write_bytes(b"no image")
    again = SynthesisTask(recipe, small_synthesis, other)  # type: ignore[arg-type]
    found = again.batch(np.random.default_rng(3))
    assert torch.equal(found[0], given)
    assert torch.equal(found[1], wanted)


@pytest.mark.slow
def test_the_measure_trains_once_on_each_set_of_images(
    weights: Path,
    small_synthesis: Path,
    blobs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(synthesis_evaluation, "FEW", 2)
    monkeypatch.setattr(synthesis_evaluation, "SYNTHETIC", 4)
    with pytest.raises(UsageError, match="--work"):
        evaluate(small_synthesis, blobs, weights)
    work = tmp_path / "work"
    result = evaluate(small_synthesis, blobs, weights, work=work)
    assert (result["images"], result["part"], result["kind"]) == (1, "test", "synthesis")
    sets = {(row["real_images"], row["synthetic_images"]) for row in result["table"]}
    assert sets == {(0, 4), (2, 0), (2, 4), (3, 0)}
    assert len(result["table"]) == 4 * 5
    assert (small_synthesis.parent / result["figure"]).read_bytes().startswith(b"\x89PNG")
    (alone,) = work.glob("synthetic-*")
    masks = [tifffile.imread(path) for path in sorted((alone / "masks").glob("*.tif"))]
    real = [tifffile.imread(blobs / "masks" / f"{number}.tif") for number in range(3)]
    assert all(any(np.array_equal(mask, one) for one in real) for mask in masks)
    before = {path: path.stat().st_mtime_ns for path in work.glob("*/run/checkpoint.pt")}
    assert len(before) == 4
    assert evaluate(small_synthesis, blobs, weights, work=work) == result
    assert {path: path.stat().st_mtime_ns for path in before} == before
