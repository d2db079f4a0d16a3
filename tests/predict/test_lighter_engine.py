"""Large images run through a rewritten network: the results are those of the package's own."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scopezoo.predict import facts
from scopezoo.predict.engine import ALWAYS_WHOLE_PX, Engine
from scopezoo.predict.facts import network_facts
from scopezoo.predict.runtimes import lighter_weights
from scopezoo.store import open_package
from tests import small_models as small


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def write_unet(folder: Path, ndim: int, mode: str) -> Path:
    return small.write_package(folder, small.image_model(ndim, step=4), small.unet(ndim, mode))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("ndim", "mode"), [(2, "nearest"), (2, "linear"), (3, "nearest")])
def test_tiles_give_the_whole_of_the_packaged_network(
    tmp_path: Path, runtime: str, ndim: int, mode: str
) -> None:
    pytest.importorskip(runtime)
    package = open_package(write_unet(tmp_path, ndim, mode))
    pixels = noise(1, 1, *((70, 133, 161)[-ndim:] if ndim == 2 else (29, 71, 83)))
    whole = Engine(package, runtime=runtime, as_packaged=True)
    tile = dict.fromkeys("zyx"[-ndim:], 60)
    cut = Engine(package, runtime=runtime, tile=tile)
    plan = cut.plan(pixels.shape)
    assert len(plan) > 1
    assert cut.network(plan.tile_px, len(plan)) is not cut.runtime
    assert whole.network(plan.tile_px, len(plan)) is whole.runtime
    expected = whole.predict_sample({"raw": pixels})["out"]
    found = cut.predict_sample({"raw": pixels})["out"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    again = Engine(package, runtime=runtime, tile=tile).predict_sample({"raw": pixels})["out"]
    np.testing.assert_array_equal(again, found)


def test_small_images_do_without(tmp_path: Path) -> None:
    engine = Engine(open_package(write_unet(tmp_path, 2, "linear")), runtime="onnxruntime")
    assert engine.network(ALWAYS_WHOLE_PX) is engine.runtime
    assert "facts" not in vars(engine)
    large = engine.network(ALWAYS_WHOLE_PX + 1)
    assert large is not engine.runtime
    assert copy.copy(engine).network(100, tiles=2) is large


def test_a_network_with_nothing_to_gain_runs_as_it_is(plane_model: Path) -> None:
    engine = Engine(open_package(plane_model), runtime="onnxruntime", tile={"y": 40, "x": 40})
    assert not engine.facts.lighter
    assert engine.network(1600, tiles=9) is engine.runtime


@pytest.mark.parametrize("content", ["other weights", "no model"])
def test_weights_that_give_something_else_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    package = open_package(write_unet(tmp_path / "a", 2, "linear"))
    other = small.unet(2, "nearest") if content == "other weights" else b"no model"

    def wrong(*_: Any) -> bytes:
        return other

    monkeypatch.setattr(facts, "lighter_weights", wrong)
    engine = Engine(package, runtime="onnxruntime")
    assert lighter_weights(package, engine.runtime) is not None
    monkeypatch.setenv("SCOPEZOO_CACHE", str(tmp_path / "cache"))
    assert not network_facts(package, engine.geometry, engine.runtime).lighter
