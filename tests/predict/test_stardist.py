from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import FileError, MissingDependencyError, PackageError
from scopezoo.predict import stardist
from scopezoo.predict.stardist import (
    CandidateFolder,
    Candidates,
    StardistParameters,
    find_candidates,
)
from scopezoo.predict.stardist_nms import select_objects
from tests.predict.star_fields import (
    blobs,
    cuts,
    everything,
    parameters_2d,
    parameters_3d,
    tile_candidates,
)

KWARGS_2D = {"n_rays": 32, "prob_threshold": 0.5, "nms_threshold": 0.4, "grid": [2, 2], "b": 2}
KWARGS_3D = KWARGS_2D | {"grid": [1, 2, 2], "anisotropy": [2.0, 1, 1]}


def test_parameters_are_those_of_the_specification() -> None:
    from bioimageio.spec.model.v0_5 import (
        StardistPostprocessingKwargs2D,
        StardistPostprocessingKwargs3D,
    )

    plain = StardistPostprocessingKwargs2D(**KWARGS_2D | {"grid": (2, 2)}).model_dump()
    assert StardistParameters.from_kwargs(plain).b == ((2, 2), (2, 2))
    deep = StardistPostprocessingKwargs3D(
        **KWARGS_3D | {"grid": (1, 2, 2), "anisotropy": (2.0, 1, 1), "b": ((0, 1), (2, 3), (4, 5))}
    ).model_dump()
    parameters = StardistParameters.from_kwargs(deep)
    assert parameters.ndim == 3
    assert parameters.b == ((0, 1), (2, 3), (4, 5))
    assert parameters.overlap_label is None


@pytest.mark.parametrize(
    ("base", "change"),
    [
        (KWARGS_2D, {"n_rays": 10**9}),
        (KWARGS_2D, {"n_rays": 2}),
        (KWARGS_2D, {"n_rays": True}),
        (KWARGS_2D, {"n_rays": "32"}),
        (KWARGS_2D, {"prob_threshold": -0.1}),
        (KWARGS_2D, {"prob_threshold": float("nan")}),
        (KWARGS_2D, {"nms_threshold": -1}),
        (KWARGS_2D, {"nms_threshold": "0.4"}),
        (KWARGS_2D, {"grid": [0, 1]}),
        (KWARGS_2D, {"grid": [3, 1]}),
        (KWARGS_2D, {"grid": [2**40, 1]}),
        (KWARGS_2D, {"grid": 2}),
        (KWARGS_2D, {"grid": [2]}),
        (KWARGS_2D, {"grid": "22"}),
        (KWARGS_2D, {"b": -1}),
        (KWARGS_2D, {"b": [[1, 2]]}),
        (KWARGS_2D, {"b": [1, 2]}),
        (KWARGS_2D, {"b": "ab"}),
        (KWARGS_2D, {"b": [["a", 1], [1, 1]]}),
        (KWARGS_2D, {"anisotropy": [1, 1, 1]}),
        (KWARGS_2D, {"overlap_label": 3}),
        (KWARGS_2D, {"surprise": 1}),
        (KWARGS_3D, {"anisotropy": [1, 1]}),
        (KWARGS_3D, {"anisotropy": [0, 1, 1]}),
        (KWARGS_3D, {"anisotropy": [1e30, 1, 1]}),
        (KWARGS_3D, {"anisotropy": None}),
        (KWARGS_3D, {"overlap_label": -1}),
        (KWARGS_3D, {"overlap_label": 2**40}),
        (KWARGS_3D, {"n_rays": 3}),
    ],
)
def test_hostile_parameters_are_refused(base: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(PackageError, match="stardist_postprocessing") as raised:
        StardistParameters.from_kwargs(base | change)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("name", KWARGS_3D)
def test_a_missing_parameter_is_refused(name: str) -> None:
    with pytest.raises(PackageError):
        StardistParameters.from_kwargs({k: v for k, v in KWARGS_3D.items() if k != name})


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


@given(st.fixed_dictionaries(dict.fromkeys([*KWARGS_3D, "overlap_label"], anything)))
def test_any_parameters_give_parameters_or_a_package_error(kwargs: dict[str, Any]) -> None:
    try:
        parameters = StardistParameters.from_kwargs(kwargs)
    except PackageError:
        return
    assert parameters.ndim in (2, 3)


def rows_of(candidates: list[Candidates]) -> list[tuple[float, ...]]:
    whole = Candidates.join(candidates)
    return sorted(map(tuple, np.c_[whole.points, whole.prob, whole.dist].tolist()))


@given(st.data())
def test_candidates_do_not_depend_on_tiles(data: st.DataObject) -> None:
    output = blobs((9, 12), 4, 4, 12, seed=data.draw(st.integers(0, 99)))
    border = data.draw(st.tuples(*[st.tuples(st.integers(0, 13), st.integers(0, 13))] * 2))
    parameters = parameters_2d(b=border, grid=(2, 4))
    tiled = tile_candidates(output, data.draw(cuts((9, 12), most=11)), parameters)
    assert rows_of(tiled) == rows_of(tile_candidates(output, [everything((9, 12))], parameters))
    points = Candidates.join(tiled).points
    for axis, (low, high) in enumerate(border):
        cells = points[:, axis] // parameters.grid[axis]
        assert ((cells >= low) & (cells < output.shape[axis] - high)).all()


def test_what_is_not_finite_or_absurd_is_no_candidate() -> None:
    output = np.full((4, 5, 13), 3, np.float32)
    output[..., 0] = 0.9
    output[0, 0, 0] = np.nan
    output[0, 1, 0] = np.inf
    output[1, 0, 5] = np.nan
    output[1, 1, 5] = -np.inf
    output[2, 2, 7] = 1e30
    found = find_candidates(output, (0, 0), (4, 5), parameters_2d())
    assert len(found) == 4 * 5 - 5
    nothing = find_candidates(np.full_like(output, np.nan), (0, 0), (4, 5), parameters_2d())
    assert len(select_objects([nothing], parameters_2d())) == 0


def test_a_polyhedron_has_a_volume() -> None:
    output = np.full((1, 3, 3, 3, 17), -5, np.float32)
    output[..., 0] = 0.9
    found = find_candidates(output, (0, 0, 0), (3, 3, 3), parameters_3d())
    assert (found.dist > 0).all()


def test_channels_must_be_the_rays() -> None:
    with pytest.raises(PackageError, match="channels"):
        find_candidates(np.zeros((4, 4, 12), np.float32), (0, 0), (4, 4), parameters_2d())


def test_a_folder_keeps_what_was_saved(tmp_path: Path) -> None:
    output = blobs((20, 20), 5, 5, 12, seed=1)
    found = find_candidates(output, (0, 0), (20, 20), parameters_2d())
    folder = CandidateFolder(tmp_path, 2)
    assert not folder.has(1)
    folder.save(1, found)
    assert folder.has(1)
    assert not folder.has(0)
    assert rows_of([folder[1]]) == rows_of([found])
    assert [path.name for path in tmp_path.iterdir()] == ["000001.npz"]


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_broken_or_missing_file_is_named(tmp_path: Path, keep: int) -> None:
    folder = CandidateFolder(tmp_path, 1)
    with pytest.raises(FileError, match="000000"):
        folder[0]
    folder.save(0, Candidates.none(parameters_2d()))
    path = folder.path(0)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FileError, match="000000"):
        folder[0]


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    folder = CandidateFolder(tmp_path / "missing", 1)
    with pytest.raises(FileError, match="missing"):
        folder.save(0, Candidates.none(parameters_2d()))


def test_without_stardist_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stardist, "find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match=r"scopezoo\[stardist\]"):
        select_objects([], parameters_2d())
