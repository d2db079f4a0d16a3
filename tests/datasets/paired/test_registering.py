"""Registering a dataset: every pair is stored as it is judged, and failures are left out."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired import registering as module
from scopezoo.datasets.paired.registering import register_pairs
from scopezoo.datasets.registration import (
    Quality,
    Registration,
    Smooth,
    judge_transform,
    register,
)
from scopezoo.image import Image
from tests.datasets.paired.pairs import dataset, known_matrix

SHIFTS_UM = {"a_0": 0.00, "b_1": 0.02, "c_2": -0.02, "d_3": 7.0}


class FakeRegister:
    """Finds the known transform, off by a shift of the pair's own; e_4 fails."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, source: Image, target: Image, **_options: Any) -> Registration:
        pair_id = Path(source.source).parent.name
        assert Path(target.source).parent.name == pair_id
        self.calls.append(pair_id)
        if pair_id == "e_4":
            return Registration(np.eye(4), Quality(passed=False, reasons=("dark",)), "rigid")
        matrix = known_matrix()
        matrix[1, 3] += SHIFTS_UM[pair_id]
        return Registration(matrix, Quality(passed=True, residual_median_um=0.01), "rigid")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRegister:
    fake = FakeRegister()
    monkeypatch.setattr(module, "register", fake)
    return fake


@pytest.mark.usefixtures("fake")
def test_what_fails_is_told_and_left_out(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", list("abcde"), registered=False)
    (error,) = register_pairs(made)
    assert (error.level, error.about, error.message) == ("error", "e_4", "dark")
    again = Dataset.open(tmp_path / "d")
    assert [pair.status for pair in again.pairs] == ["registered"] * 4 + ["failed"]
    assert [pair.id for pair in again.pairs_of(None)] == ["a_0", "b_1", "c_2", "d_3"]
    assert again.pairs[4].reasons == ["dark"]


def test_pairs_that_were_done_are_not_done_again(tmp_path: Path, fake: FakeRegister) -> None:
    made = dataset(tmp_path / "d", ["a", "b"], registered=False)

    def stop(done: int, _total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        register_pairs(made, progress=stop)
    assert [pair.status for pair in Dataset.open(tmp_path / "d").pairs] == [
        "registered",
        "unregistered",
    ]
    register_pairs(Dataset.open(tmp_path / "d"))
    assert fake.calls == ["a_0", "b_1"]
    register_pairs(Dataset.open(tmp_path / "d"), again=True)
    assert fake.calls == ["a_0", "b_1"] * 2


@pytest.mark.usefixtures("fake")
def test_a_session_shares_the_median_and_shows_its_outlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dataset(tmp_path / "d", list("abcde"), registered=False)
    judged: list[np.ndarray] = []

    def judge_transform(
        _source: object, _target: object, matrix: np.ndarray, **_options: Any
    ) -> Registration:
        judged.append(matrix)
        return Registration(matrix, Quality(passed=True))

    monkeypatch.setattr(module, "judge_transform", judge_transform)
    (warning,) = register_pairs(made, session="dataset")
    assert (warning.level, warning.about) == ("warning", "d_3")
    assert len(judged) == 5  # the pair that failed by itself gets its chance too
    for pair in Dataset.open(tmp_path / "d").pairs:
        assert pair.status == "registered"
        assert pair.source_to_target is not None
        assert np.allclose(pair.source_to_target.array, known_matrix(), atol=0.021)


@pytest.mark.usefixtures("fake")
def test_an_image_that_cannot_be_read_fails_its_pair_alone(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["a", "b"], registered=False)
    (tmp_path / "d" / made.pairs[0].source.path / "zarr.json").unlink()
    (error,) = register_pairs(made)
    assert error.about == "a_0"
    assert [pair.status for pair in made.pairs] == ["failed", "registered"]


def test_the_calls_are_those_that_registration_has() -> None:
    for called in (register, judge_transform):
        names = inspect.signature(called).parameters
        assert {"smooth", "source_channel", "target_channel"} <= set(names)


@pytest.mark.parametrize("session", ["pair", "specimen"])
@pytest.mark.parametrize("smooth", [True, False])
def test_a_smooth_residual_is_stored_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: module.Session, smooth: bool
) -> None:
    made = dataset(tmp_path / "d", ["a"], registered=False)
    bent = Smooth(
        origin_um=(0, 0, 0), spacing_um=(1, 1, 1), displacements_um=[[[(0, 0.1, 0)]], [[(0, 0, 0)]]]
    )

    def found(smooth: bool) -> Registration:
        quality = Quality(passed=True, without_smooth={"residual_median_px": 1.0})
        return Registration(known_matrix(), quality, smooth=bent if smooth else None)

    monkeypatch.setattr(module, "register", lambda *_, smooth, **__: found(smooth))
    monkeypatch.setattr(module, "judge_transform", lambda *_, smooth, **__: found(smooth))
    assert register_pairs(made, session=session, smooth=smooth) == []
    transform = Dataset.open(tmp_path / "d").pairs[0].source_to_target
    assert transform is not None
    assert transform.smooth == (bent if smooth else None)
