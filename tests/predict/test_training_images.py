"""Whether an image is unlike those of training: the file, the measure, the warning."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.errors import PackageError
from scopezoo.image import Image
from scopezoo.predict import predict
from scopezoo.predict.appearance import FIGURES, appearance
from scopezoo.predict.training_images import (
    TRAINING_IMAGES,
    distance,
    read_training_images,
    reason,
    to_json,
)
from scopezoo.store import open_package
from tests import small_models as small
from tests.predict.test_appearance import scene


def training_figures() -> np.ndarray[Any, np.dtype[np.float64]]:
    found = [appearance(Image(scene(seed), "YX"), [0]) for seed in range(8)]
    return np.array(found)


def package(folder: Path, content: object) -> Path:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    entry = {"source": TRAINING_IMAGES, "sha256": hashlib.sha256(text).hexdigest()}
    rdf = small.image_model(2) | {"attachments": [entry]}
    small.write_package(folder, rdf, small.encoder_decoder(2))
    (folder / TRAINING_IMAGES).write_bytes(text)
    return folder


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    figures = training_figures()
    spread = np.maximum(figures.std(axis=0), 0.05)
    return package(tmp_path / "model", to_json("the scenes", figures, spread, 0.8))


def test_an_unlike_image_is_warned_of_and_recorded(warned: Path, tmp_path: Path) -> None:
    noisy = (1000 * scene(99, noise=0.4)).astype(np.float32)
    result = predict(warned, noisy, tmp_path / "out.tif")
    assert len(result.warnings) == 1
    assert "unlike the images of the scenes" in result.warnings[0]
    assert "than any of them" in result.warnings[0]
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert record["warnings"] == result.warnings


def test_an_image_like_those_of_training_is_not(warned: Path) -> None:
    assert predict(warned, (100 + 50 * scene(77)).astype(np.float32)).warnings == []


def test_the_pixels_are_the_same_with_and_without(warned: Path, plane_model: Path) -> None:
    image = scene(99, noise=0.4).astype(np.float32)
    ours, theirs = (predict(one, image).images["out"].read() for one in (warned, plane_model))
    np.testing.assert_array_equal(ours, theirs)


def test_a_package_without_the_file_says_nothing(plane_model: Path) -> None:
    assert read_training_images(open_package(plane_model)) is None


def test_a_file_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    content = {"schema": 2, "whatever": []}
    assert read_training_images(open_package(package(tmp_path / "m", content))) is None


@pytest.mark.parametrize(
    "change",
    [
        {"images": []},
        {"images": [[1, 2]]},
        {"images": [["a"] * len(FIGURES)]},
        {"images": "many"},
        {"images": [[float("nan")] * len(FIGURES)]},
        {"spread": [0] * len(FIGURES)},
        {"limit": 0},
        {"limit": "high"},
        {"limit": None},
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, change: dict[str, Any]) -> None:
    figures = training_figures()
    content = to_json("scenes", figures, np.ones(len(FIGURES)), 1.0) | change
    with pytest.raises(PackageError, match=r"training_images\.json"):
        read_training_images(open_package(package(tmp_path / "m", content)))


@pytest.mark.parametrize("content", [b"{", b"[1]", b"[" * 100_000])
def test_what_is_no_json_object_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PackageError, match=r"training_images\.json"):
        read_training_images(open_package(package(tmp_path / "m", content)))


def test_an_exchanged_file_is_told(warned: Path) -> None:
    (warned / TRAINING_IMAGES).write_text("{}", encoding="utf-8")
    with pytest.raises(PackageError, match="SHA-256"):
        read_training_images(open_package(warned))
    rdf = yaml.safe_load((warned / "rdf.yaml").read_text(encoding="utf-8"))
    assert rdf["attachments"][0]["source"] == TRAINING_IMAGES


@settings(max_examples=30, deadline=None)
@given(step=st.floats(0.1, 50), which=st.integers(0, len(FIGURES) - 1), up=st.booleans())
def test_the_further_beyond_the_stranger_and_the_reason_names_it(
    step: float, which: int, up: bool
) -> None:
    known = np.random.default_rng(0).normal(size=(20, len(FIGURES)))
    spread = known.std(axis=0)
    extreme = known.max(axis=0) if up else known.min(axis=0)
    near, far = known.mean(axis=0), known.mean(axis=0)
    near[which] = extreme[which] + (step if up else -step)
    far[which] = extreme[which] + (2 * step if up else -2 * step)
    assert distance(known.mean(axis=0), known, spread) < distance(near, known, spread)
    assert distance(near, known, spread) < distance(far, known, spread)
    words = list(FIGURES.values())[which][0 if up else 1]
    assert reason(far, known, spread) == f"it has {words} than any of them"
