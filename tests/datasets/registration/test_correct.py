"""A transform is corrected by what its blocks see."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from scopezoo.datasets.registration import Model, search
from scopezoo.datasets.registration.blocks import Blocks
from scopezoo.datasets.registration.coarse import Found
from scopezoo.datasets.registration.correct import corrected
from scopezoo.datasets.registration.judge import Judge
from scopezoo.datasets.registration.matrices import about, applied
from scopezoo.datasets.registration.volume import read_volume
from tests.datasets.registration.rendered import SOURCE_PLANE, TARGET_PLANE, error_um, pair

EXTENT = np.array([6.0, 50.0, 50.0])


@given(st.integers(0, 10_000), st.sampled_from(get_args(Model)))
@settings(max_examples=50)
def test_a_small_error_of_its_own_kind_is_found(seed: int, model: Model) -> None:
    rng = np.random.default_rng(seed)
    linear = Rotation.from_rotvec(rng.uniform(-0.01, 0.01, 3)).as_matrix()
    if model == "similarity":
        linear = linear * (1 + rng.uniform(-0.01, 0.01))
    if model == "affine":
        linear = linear + rng.uniform(-0.01, 0.01, (3, 3))
    off = about(linear, EXTENT / 2, EXTENT / 2 + rng.uniform(-0.5, 0.5, 3))
    centres = rng.uniform(0, 1, (40, 3)) * EXTENT
    seen = applied(off, centres) - centres
    seen[:4] += rng.normal(size=(4, 3))  # some blocks are always wrong
    blocks = Blocks(centres, seen, np.tile(np.eye(3), (40, 1, 1)), np.ones(40, bool))
    error = applied(corrected(np.eye(4), blocks, model), centres) - applied(off, centres)
    assert np.abs(error).max() < 0.02


def test_where_blocks_know_nothing_nothing_is_changed() -> None:
    """Filaments along x say nothing of x."""
    centres = np.random.default_rng(0).uniform(0, 1, (20, 3)) * EXTENT
    precision = np.tile(np.diag([1.0, 1.0, 0.0]), (20, 1, 1))
    blocks = Blocks(centres, np.tile([0.1, 0.2, 9.0], (20, 1)), precision, np.ones(20, bool))
    shift = applied(corrected(np.eye(4), blocks, "rigid"), EXTENT / 2) - EXTENT / 2
    assert shift[:2] == pytest.approx([0.1, 0.2], abs=1e-3)
    assert abs(shift[2]) < 1e-3


@pytest.fixture
def judged() -> tuple[Judge, np.ndarray]:
    source, target, known = pair(3, SOURCE_PLANE, TARGET_PLANE)
    return Judge(read_volume(source, None), read_volume(target, None), (0.1, 0.1)), known


def shifted(matrix: np.ndarray, *shift_um: float) -> np.ndarray:
    moved = matrix.copy()
    moved[:3, 3] += shift_um
    return moved


def test_a_doubtful_result_is_corrected(
    judged: tuple[Judge, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, known = judged
    monkeypatch.setattr(search, "refine", lambda *_: shifted(known, 0, 0.2, -0.15))
    found = search.searched(judge, "rigid", 3.0)
    assert np.abs(error_um(found.matrix, known, SOURCE_PLANE)).max() < 0.02
    assert found.judgement.quality.passed


def test_a_wrong_start_is_left_for_another(
    judged: tuple[Judge, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, known = judged
    starts = [Found(shifted(known, 0, 5, 4), 90.0), Found(known, 50.0)]
    monkeypatch.setattr(search, "coarse_candidates", lambda *_: starts)
    monkeypatch.setattr(search, "refine", lambda _source, _target, start, _levels: start)
    found = search.searched(judge, "rigid", 3.0)
    assert np.abs(error_um(found.matrix, known, SOURCE_PLANE)).max() < 0.02


def test_a_good_result_is_not_sought_again(
    judged: tuple[Judge, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, known = judged
    monkeypatch.setattr(search, "refine", lambda *_: known)
    calls = []
    monkeypatch.setattr(Judge, "judged", lambda *args: calls.append(1) or _judged(*args))
    found = search.searched(judge, "rigid", 3.0)
    assert np.array_equal(found.matrix, known)
    assert len(calls) == 1


_judged = Judge.judged
