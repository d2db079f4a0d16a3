"""The source file of a network runs where scopezoo is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scopezoo.errors import PackageError
from scopezoo.models.stardist import StarDist2d
from scopezoo.packaging.architecture import one_file_source

ARGUMENTS = {"channels": [4, 8], "features": 8, "rays": 8}


def test_it_gives_the_same_output_without_scopezoo(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = StarDist2d(**ARGUMENTS).eval()
    image = torch.rand(1, 1, 32, 32)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    torch.save(image, tmp_path / "image.pt")
    (tmp_path / "network.py").write_bytes(one_file_source("scopezoo.models.stardist"))
    code = f"""
import sys, torch
sys.modules["scopezoo"] = None  # importing it fails
import network
built = network.StarDist2d(**{ARGUMENTS}).eval()
built.load_state_dict(torch.load("weights.pt"))
torch.save(built(torch.load("image.pt")), "output.pt")
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert torch.equal(torch.load(tmp_path / "output.pt"), network(image))


def test_names_must_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "twice"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "first.py").write_text("def block():\n    return 1\n")
    (package / "second.py").write_text(
        "from twice.first import block as inner\n\n\ndef block():\n    return inner()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("scopezoo.packaging.architecture.ROOT", "twice")
    with pytest.raises(PackageError, match="block"):
        one_file_source("twice.second")
