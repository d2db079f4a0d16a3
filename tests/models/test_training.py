"""Training: it learns, stops on request, and goes on as if it had not stopped."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo import models  # noqa: E402
from scopezoo.errors import FileError, StoppedError, UsageError  # noqa: E402
from scopezoo.models import segmentation, training  # noqa: E402
from scopezoo.models.evaluation import evaluate, record, training_figures  # noqa: E402
from scopezoo.models.network import load_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the batch of `step` is made."""
    make_batch = training._batch

    def interrupted(*arguments: object) -> object:
        if arguments[-1] == step:
            os.kill(os.getpid(), signal.SIGINT)
        return make_batch(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "_batch", interrupted)


def test_loss_falls_and_the_run_folder_tells(
    small_recipe: Path, blobs: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    weights = models.train(small_recipe, blobs, run, quiet=True)
    with (run / "history.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 3
    assert losses[-1] < 0.8 * losses[0]
    assert (run / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not list(run.glob("*.part"))
    network = load_network(read_recipe(small_recipe), weights)
    assert not network.training
    assert all(value.device.type == "cpu" for value in network.state_dict().values())


@pytest.mark.parametrize("kind", ["small_recipe", "small_synthesis"])
def test_a_stopped_training_goes_on_to_the_same_weights(
    kind: str,
    request: pytest.FixtureRequest,
    blobs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_recipe = request.getfixturevalue(kind)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    wanted = torch.load(models.train(small_recipe, blobs, whole, quiet=True), weights_only=True)
    with monkeypatch.context() as patched:
        stop_at(10, patched)
        with pytest.raises(StoppedError, match=r"step 11 of 24.*--resume"):
            models.train(small_recipe, blobs, broken, quiet=True)
    path = models.train(small_recipe, blobs, broken, resume=True, quiet=True)
    found = torch.load(path, weights_only=True)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6)


def test_a_run_folder_is_never_overwritten(small_recipe: Path, blobs: Path, tmp_path: Path) -> None:
    models.train(small_recipe, blobs, tmp_path / "run", quiet=True)
    with pytest.raises(UsageError, match="--resume"):
        models.train(small_recipe, blobs, tmp_path / "run", quiet=True)
    content = yaml.safe_load(small_recipe.read_text())
    content["training"]["seed"] += 1
    small_recipe.write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match="another recipe"):
        models.train(small_recipe, blobs, tmp_path / "run", resume=True, quiet=True)


def test_training_ends_early_without_improvement(
    small_recipe: Path, blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, 0.4, 0.3])
    monkeypatch.setattr(segmentation, "star_score", lambda *_: next(scores))
    content = yaml.safe_load(small_recipe.read_text())
    content["training"] |= {"patience": 2, "validate_every": 2, "steps": 100}
    small_recipe.write_text(yaml.safe_dump(content))
    models.train(small_recipe, blobs, tmp_path / "run", quiet=True)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(rows) == 1 + 3


def test_missing_data_and_checkpoints_are_named(
    small_recipe: Path, blobs: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=r"nowhere has no folder"):
        models.train(small_recipe, tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(FileError, match=r"checkpoint\.pt is missing"):
        models.train(small_recipe, blobs, tmp_path / "run", resume=True)
    other = tmp_path / "other"
    for part in ("images", "masks"):
        (other / part).mkdir(parents=True)
        (other / part / "0.tif").write_bytes((blobs / part / "0.tif").read_bytes())
    with pytest.raises(FileError, match="lacks image 1 and 4 of the split"):
        models.train(small_recipe, other, tmp_path / "run")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x80\x02K\x01."])
def test_broken_weights_are_named(small_recipe: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(FileError, match=r"weights\.pt"):
        load_network(read_recipe(small_recipe), tmp_path / "weights.pt")


def test_evaluation_counts_every_object_and_is_kept_beside_other_figures(
    small_recipe: Path, blobs: Path, tmp_path: Path
) -> None:
    weights = models.train(small_recipe, blobs, tmp_path / "run", quiet=True)
    result = evaluate(small_recipe, blobs, weights)
    assert (result["images"], result["part"]) == (1, "test")
    rows = result["table"]
    assert [row["iou"] for row in rows] == [0.5, 0.6, 0.7, 0.8, 0.9]
    precisions = [row["average_precision"] for row in rows]
    assert precisions == sorted(precisions, reverse=True)
    measured = tmp_path / "measured.json"
    measured.write_text('{"parity": {"onnx": 0.0}}')
    record(measured, "evaluation", result)
    assert json.loads(measured.read_text()) == {"parity": {"onnx": 0.0}, "evaluation": result}


def test_training_figures_are_those_of_the_kept_weights(small_recipe: Path, tmp_path: Path) -> None:
    header = "step,seconds,loss,learning_rate,probability,distance,score"
    rows = ["8,2.5,0.9,0.01,0.3,0.6,0.4", "16,5.1,0.7,0.01,0.2,0.5,0.6", "24,7.9,0.6,0,0.2,0.4,0.5"]
    (tmp_path / "history.csv").write_text("\n".join([header, *rows]) + "\n")
    figures = training_figures(read_recipe(small_recipe), tmp_path)
    assert (figures["steps"], figures["kept_step"], figures["seconds"]) == (24, 16, 8)
    assert (figures["validation_score"], figures["loss"]) == (0.6, 0.7)
    with pytest.raises(FileError, match=r"history\.csv"):
        training_figures(read_recipe(small_recipe), tmp_path / "nowhere")
