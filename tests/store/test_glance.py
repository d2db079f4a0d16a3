"""What is told of a model at a glance, from good descriptions and from any."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopezoo.store import open_package, resolve
from scopezoo.store.glance import glance
from tests import small_models as small

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 9)
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def test_the_collection_says_it_all() -> None:
    seen = glance(resolve("nuclei-stardist-2d"))
    assert seen.task == "instance segmentation"
    assert seen.license == "BSD-3-Clause"
    assert seen.dataset == "dsb2018"
    assert seen.quality is not None
    assert seen.quality.metric == "AP 0.5"
    assert 0.8 < seen.quality.value < 1
    assert seen.quality.part == "test"
    assert seen.speed is not None
    assert seen.speed.s_per_megapixel > 0
    assert str(seen.speed).endswith("s/Mpixel")
    assert seen.weights_bytes is not None
    assert 0 < seen.weights_bytes < 8e6


def described(folder: Path, task: Any, evaluations: Any, inference: Any, ndim: int = 3) -> Path:
    config = {
        "bioimageio": {"task": task, "evaluations": evaluations},
        "scopezoo": {"inference": inference},
    }
    rdf = {**small.image_model(ndim), "config": config}
    return small.write_package(folder, rdf, small.encoder_decoder(ndim))


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("image denoising", "PSNR (dB), noisy"),
        ("label-free prediction", "r, noisy"),
        ("instance segmentation", "SSIM, noisy"),
    ],
)
def test_the_headline_is_that_of_the_task(tmp_path: Path, task: str, metric: str) -> None:
    names = ["SSIM, noisy", "r, noisy", "PSNR (dB), noisy", "PSNR (dB), clean"]
    evaluation = {"metrics": names, "results": [[0.9], [0.8], [25], [30]], "dataset_id": "set"}
    inference = {"time_s": 3, "input_shape": [1, 1, 10, 100, 500]}
    seen = glance(open_package(described(tmp_path, task, [evaluation], inference)))
    assert seen.quality is not None
    assert seen.quality.metric == metric
    assert seen.quality.value == dict(zip(names, [0.9, 0.8, 25, 30], strict=True))[metric]
    assert seen.dataset == "set"
    assert str(seen.speed) == "6 s/Mvoxel"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(JUNK, JUNK, JUNK, st.booleans())
def test_any_description_is_survived(
    tmp_path: Path, task: Any, evaluations: Any, inference: Any, nested: bool
) -> None:
    if nested:
        evaluations = [{"metrics": evaluations, "results": evaluations, "dataset_id": task}]
        inference = {"time_s": inference, "input_shape": inference, "peak_memory_bytes": inference}
    package = open_package(described(tmp_path, None, [], {}, 2))
    package.description.rdf["config"]["bioimageio"].update(task=task, evaluations=evaluations)  # type: ignore[index]
    package.description.rdf["config"]["scopezoo"].update(inference=inference)  # type: ignore[index]
    seen = glance(package)
    assert seen.size
    assert str(seen.quality)
    assert str(seen.speed)
    json.dumps(asdict(seen), allow_nan=False)
