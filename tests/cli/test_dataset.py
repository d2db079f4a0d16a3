"""`scopezoo dataset import | check | split | register-all` as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.dataset_call import call
from tests.datasets.paired.pairs import dataset, folders


def test_from_two_folders_to_a_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = folders(tmp_path, ["a_1", "b_1", "c_1"])
    out = tmp_path / "d"
    assert call("import", source, target, "-o", out, "--dry-run") == 0
    assert not out.exists()
    assert "warning: not known" in capsys.readouterr().err
    assert call("import", source, target, "-o", out) == 0
    assert call("split", out, "--fix", "test=b", "--json") == 0
    assert json.loads(capsys.readouterr().out)["parts"]["test"] == ["b"]
    assert call("split", out, "--seed", "5") == 2
    assert "split already, with seed 0" in capsys.readouterr().err
    assert call("check", out, "--report", tmp_path / "r.html", "--json") == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True
    assert (tmp_path / "r.html").stat().st_size > 1000


def test_exit_status_tells_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = folders(tmp_path, ["a_1", "b_1"])
    (target / "b_1.ome.tif").unlink()
    out = tmp_path / "d"
    assert call("import", source, target, "-o", out, "--json", "--quiet") == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["pairs"] == ["a_1"]
    assert any(one["level"] == "error" for one in found["findings"])
    assert "has no partner" in said.err
    next((out / "fields").rglob("c/*/*/*")).unlink()
    assert call("check", out) == 1
    assert "sha256" in capsys.readouterr().err
    assert call("check", tmp_path / "nothing") == 1
    assert call("import", source, target, "-o", out, "--pattern", "(", "--quiet") == 2
    assert call("split", out, "--fix", "exam=a_1") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_registered_dataset_has_nothing_left_to_register(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("SimpleITK")
    dataset(tmp_path / "d", ["a"])
    assert call("register-all", tmp_path / "d", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["status"] == "registered"
    assert "1 of 1 pairs are registered" in said.err
