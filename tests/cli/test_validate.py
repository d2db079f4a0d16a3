"""`scopezoo validate --dataset` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scopezoo.cli import app
from scopezoo.cli.failures import run_guarded
from tests.validation.quality.subjects import blur_model, noisy_pairs


def call(*words: object) -> int:
    return run_guarded(
        lambda: app(["validate", *(str(word) for word in words)], standalone_mode=False)
    )


def test_a_report_from_one_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = blur_model(tmp_path / "model", 2), noisy_pairs(tmp_path / "data")
    assert call(model, "--dataset", data, "-o", tmp_path / "report", "--json") == 0
    said = capsys.readouterr()
    printed = json.loads(said.out)
    assert printed["summary"]["images"] == 3
    assert (tmp_path / "report" / "quality.json").read_text(encoding="utf-8") == said.out
    assert "in 3 of 3 fields" in said.err
    assert str(tmp_path / "report" / "quality.html") in said.err
    assert "it/s]" not in said.err  # no library's bars


def test_wrong_calls_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = blur_model(tmp_path / "model", 2), noisy_pairs(tmp_path / "data")
    assert call("--dataset", data) == 2
    assert call(model, model, "--dataset", data) == 2
    assert call(model, "--dataset", data, "--changed", "main") == 2
    assert "give one MODEL" in capsys.readouterr().err
    assert call(model, "--dataset", data, "--split", "exam") == 2
    assert call(model, "--dataset", tmp_path / "nowhere") == 1
    assert call("no-such-model", "--dataset", data) == 1
    assert "Traceback" not in capsys.readouterr().err
