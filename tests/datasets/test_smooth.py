"""The smooth residual: between its nodes, beyond them, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from scopezoo.datasets.smooth import Smooth

SPACING = (1.5, 4.0, 5.0)
ORIGIN = (0.5, -1.0, 2.0)


def made(nodes: NDArray[np.float64]) -> Smooth:
    return Smooth(origin_um=ORIGIN, spacing_um=SPACING, displacements_um=nodes.tolist())


def winding(seed: int, largest_um: float = 0.4) -> Smooth:
    return made(np.random.default_rng(seed).uniform(-largest_um, largest_um, (5, 4, 3, 3)))


def places(seed: int, count: int = 200) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-3, 20, (count, 3))


@given(st.integers(0, 1000))
def test_the_way_back_leads_back(seed: int) -> None:
    smooth = winding(seed)
    there = places(seed + 1)
    assert np.abs(smooth.undone(smooth.applied(there)) - there).max() < 1e-3
    assert np.abs(smooth.applied(smooth.undone(there)) - there).max() < 1e-3


@given(st.integers(0, 1000))
def test_nodes_are_met_and_planes_between_them_are_straight(seed: int) -> None:
    smooth = winding(seed)
    index = np.stack(np.meshgrid(*map(np.arange, (5, 4, 3)), indexing="ij"), axis=-1)
    nodes = np.array(ORIGIN) + index * SPACING
    assert np.allclose(smooth.at(nodes), smooth.nodes_um)
    between = (nodes[1:] + nodes[:-1]) / 2
    assert np.allclose(smooth.at(between), (smooth.nodes_um[1:] + smooth.nodes_um[:-1]) / 2)


def test_beyond_the_grid_it_stays_as_it_is_there() -> None:
    smooth = winding(3)
    far = np.array([[99.0, 99.0, 99.0], [-99.0, -99.0, -99.0]])
    assert np.allclose(smooth.at(far), [smooth.nodes_um[-1, -1, -1], smooth.nodes_um[0, 0, 0]])
    point = made(np.array([[[[0.1, 0.2, 0.3]]]]))
    assert np.allclose(point.at(places(1)), [0.1, 0.2, 0.3])


def test_it_comes_back_from_json() -> None:
    smooth = winding(5)
    assert Smooth.model_validate_json(smooth.model_dump_json()) == smooth


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"displacements_um": []}, "at least 1"),
        ({"displacements_um": [[[[0, 0, 0]], []]]}, "grid"),
        ({"displacements_um": [[[[0, 0]]]]}, "displacements_um"),
        ({"displacements_um": [[[[0, 0, float("nan")]]]]}, "finite"),
        ({"spacing_um": (0, 1, 1)}, "above 0"),
        ({"unit": "nm"}, "unit"),
    ],
)
def test_what_is_no_grid_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Smooth.model_validate({**winding(0).model_dump(), **change})
