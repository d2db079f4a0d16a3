"""`scopezoo train`: wrong calls are told before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from scopezoo.cli import app
from scopezoo.cli.failures import run_guarded

pytest.importorskip("torch")
pytest.importorskip("stardist")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ([], 2, "give a recipe, or a model to adapt with --from"),
        (["recipe.yaml", "--from", "nuclei-stardist-2d"], 2, "give a recipe, or a model"),
        (["recipe.yaml", "--steps", "5"], 2, "--steps goes with --from"),
        (["--from", "no-such-model"], 1, "no-such-model"),
        (["--from", "nuclei-stardist-2d"], 1, "has no folder 'images'"),
    ],
)
def test_wrong_calls_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, told: str
) -> None:
    where = ["--data", str(tmp_path / "cells"), "--run", str(tmp_path / "child")]
    call = ["train", *words, *where]
    assert run_guarded(lambda: app(call, standalone_mode=False)) == status
    assert told in capsys.readouterr().err
    assert not (tmp_path / "child" / "recipe.yaml").exists()
