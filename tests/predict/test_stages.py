"""Steps that mix pixels along an axis of space do not see the tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scopezoo.errors import PackageError
from scopezoo.predict.engine import Engine
from scopezoo.store import open_package
from tests import small_models as small

PIXELS = np.random.default_rng(0).normal(size=(1, 1, 50, 61)).astype(np.float32)


def softmax(axis: str) -> list[dict[str, Any]]:
    return [{"id": "softmax", "kwargs": {"axis": axis}}]


@pytest.mark.parametrize("axis", ["y", "x"])
@pytest.mark.parametrize("tile", [{"y": 24, "x": 24}, {"x": 24}, {"y": 24}])
def test_softmax_of_an_output_is_that_of_the_whole(
    tmp_path: Path, axis: str, tile: dict[str, int]
) -> None:
    rdf = small.image_model(2, postprocessing=softmax(axis))
    package = open_package(small.write_package(tmp_path, rdf, small.encoder_decoder(2)))
    whole = Engine(package).predict_sample({"raw": PIXELS})["out"]
    cut = Engine(package, tile=tile)
    assert len(cut.plan(PIXELS.shape)) > 1
    tiled = cut.predict_sample({"raw": PIXELS})["out"]
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    np.testing.assert_allclose(tiled.sum(axis=2 + "yx".index(axis)), 1, atol=1e-4)


def test_softmax_of_an_input_refuses_tiles_that_cut_it(tmp_path: Path) -> None:
    rdf = small.image_model(2)
    rdf["inputs"][0]["preprocessing"] = softmax("x")
    package = open_package(small.write_package(tmp_path, rdf, small.encoder_decoder(2)))
    whole = Engine(package).predict_sample({"raw": PIXELS})["out"]
    rows = Engine(package, tile={"y": 24}).predict_sample({"raw": PIXELS})["out"]
    np.testing.assert_allclose(rows, whole, atol=1e-5)
    with pytest.raises(PackageError, match="'raw' mixes pixels along x"):
        Engine(package, tile={"x": 24}).predict_sample({"raw": PIXELS})


def test_softmax_before_decoding_refuses_tiles_that_cut_it(tmp_path: Path) -> None:
    rdf = small.label_model()
    rdf["outputs"][0]["postprocessing"][:0] = softmax("y")
    package = open_package(small.write_package(tmp_path, rdf, small.stardist_network()))
    with pytest.raises(PackageError, match="'out' mixes pixels along y"):
        Engine(package, tile={"y": 24}).predict_sample({"raw": PIXELS})
