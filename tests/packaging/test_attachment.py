"""How the training images look goes into the package, where it lies beside the source."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from scopezoo.packaging import package
from scopezoo.predict.appearance import FIGURES
from scopezoo.predict.training_images import TRAINING_IMAGES, read_training_images, to_json
from scopezoo.store import open_package
from tests.packaging.networks import blur, onnx_folder


def test_what_lies_beside_the_source_is_attached(tmp_path: Path) -> None:
    from bioimageio.core import test_model

    source = onnx_folder(tmp_path / "source", blur())
    ones = np.ones(len(FIGURES))
    content = json.dumps(to_json("my images", ones[None], ones, 1.0))
    (source / TRAINING_IMAGES).write_text(content, encoding="utf-8")
    (source / "quality.md").write_text("## Quality on cells\n\nAll of them were found.\n")
    path = tmp_path / "out.zip"
    assert TRAINING_IMAGES in package(source, path).files
    card = open_package(path).files.read("README.md").decode()
    assert "\n\n## Quality on cells\n\nAll of them were found.\n\n# Technical" in card
    found = read_training_images(open_package(path))
    assert found is not None
    assert found.dataset == "my images"
    assert test_model(path, weight_format="onnx").status == "passed"
