"""`scopezoo dataset register-all` as it is called: sessions, and pairs that cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scopezoo.datasets.paired import registering
from scopezoo.datasets.registration import Quality, Registration
from scopezoo.image import Image
from tests.cli.dataset_call import call
from tests.datasets.paired.pairs import dataset, known_matrix, write
from tests.datasets.registration.rendered import SOURCE_PLANE, TARGET_PLANE, pair

Change = Callable[[Image], Image]


def with_size(image: Image, factor: float) -> Image:
    sizes = {axis: size * factor for axis, size in image.pixel_size_um.items()}
    return replace(image, pixel_size_um=sizes)


def with_nan(image: Image) -> Image:
    return replace(
        image, data=np.where(np.arange(image.size("X")) == 4, np.float32(np.nan), image.read())
    )


def flat(value: float) -> Change:
    return lambda image: replace(image, data=np.full(image.shape, value, np.float32))


TOLD_BY_IMPORT: dict[str, tuple[Change, str]] = {
    "nan": (with_nan, "NaN or infinite"),
    "blank": (flat(7), "is blank"),
    "units": (lambda image: with_size(image, 1e-3), "unit"),
    "deep": (lambda _: pair(0)[0], "2D against 3D"),
    "channels": (
        lambda image: replace(image, data=np.stack([image.read()] * 2), axes="CYX"),
        "2 channels",
    ),
}
TOLD_BY_REGISTERING: dict[str, tuple[Change, str]] = {
    "elsewhere": (lambda _: pair(99, SOURCE_PLANE, TARGET_PLANE)[0], "find their match|overlap"),
    "size": (lambda image: with_size(image, 1.55), "pixel size is 0.16"),
    "mirrored": (
        lambda image: replace(image, data=np.flip(image.read(), 1).copy()),
        "one is mirrored",
    ),
}


@pytest.mark.slow
def test_every_bad_pair_is_told_with_the_reason_and_the_rest_is_registered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {f"good_{seed}": pair(seed, SOURCE_PLANE, TARGET_PLANE)[:2] for seed in (1, 2)}
    source, target, _ = pair(3, SOURCE_PLANE, TARGET_PLANE)
    bad = TOLD_BY_IMPORT | TOLD_BY_REGISTERING
    images |= {f"{name}_3": (change(source), target) for name, (change, _) in bad.items()}
    deep_source, deep_target, _ = pair(0)
    upside_down = replace(deep_source, data=np.flip(deep_source.read(), 0).copy())
    images["swapped_0"] = upside_down, deep_target
    for name, two in images.items():
        for side, one in zip(("source", "target"), two, strict=True):
            write(tmp_path / side / f"{name}.ome.tif", one)
    out = tmp_path / "d"
    folders = tmp_path / "source", tmp_path / "target"
    assert call("import", *folders, "-o", out, "--json", "--quiet") == 1
    found = json.loads(capsys.readouterr().out)
    errors = _by_pair(found["findings"])
    assert set(errors) == {f"{name}_3" for name in TOLD_BY_IMPORT}
    for name, (_, says) in TOLD_BY_IMPORT.items():
        assert re.search(says, errors[f"{name}_3"]), errors[f"{name}_3"]

    assert call("register-all", out, "--model", "rigid", "--json") == 1
    said = capsys.readouterr()
    pairs = {one["id"]: one for one in json.loads(said.out)}
    failed = {name for name, one in pairs.items() if one["status"] == "failed"}
    assert failed == {f"{name}_3" for name in TOLD_BY_REGISTERING} | {"swapped_0"}
    assert {pairs[name]["status"] for name in ("good_1", "good_2")} == {"registered"}
    expected = {f"{name}_3": says for name, (_, says) in TOLD_BY_REGISTERING.items()}
    for name, says in (expected | {"swapped_0": "order of the planes"}).items():
        assert re.search(f"error: {name}: .*({says})", said.err), said.err
    assert "2 of 6 pairs are registered" in said.err
    assert "Traceback" not in said.err


def _by_pair(findings: list[dict[str, str]]) -> dict[str, str]:
    return {one["about"]: one["message"] for one in findings if one["level"] == "error"}


def test_a_session_shares_one_transform_and_shows_its_outlier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dataset(tmp_path / "d", list("aaaabbb"), registered=False)
    own = dict(zip([one.id for one in made.pairs], (0, 0.02, 5.0, -0.02, 1, 1, 1), strict=True))

    def register(source: Image, _target: Image, **_options: Any) -> Registration:
        matrix = known_matrix()
        matrix[1, 3] += own[Path(source.source).parent.name]
        return Registration(matrix, Quality(passed=True))

    def judge(_source: Image, _target: Image, matrix: Any, **_options: Any) -> Registration:
        return Registration(matrix, Quality(passed=True))

    monkeypatch.setattr(registering, "register", register)
    monkeypatch.setattr(registering, "judge_transform", judge)
    assert call("register-all", tmp_path / "d", "--session", "specimen", "--json") == 0
    said = capsys.readouterr()
    assert "warning: a_2: its own transform lies 5.0" in said.err
    matrices = {one["id"]: one["source_to_target"]["matrix"] for one in json.loads(said.out)}
    for specimen, shift in (("a", 0.0), ("b", 1.0)):
        shared = [matrix for name, matrix in matrices.items() if name.startswith(specimen)]
        assert all(matrix == shared[0] for matrix in shared)
        assert shared[0][1][3] == pytest.approx(known_matrix()[1, 3] + shift, abs=0.021)
