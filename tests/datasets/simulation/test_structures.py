from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.simulation.cell import Cell, place_cells
from scopezoo.datasets.simulation.structures import BUILDERS, StructureName


def _cells(seed: int, size: float = 1.0, density: float = 2.0) -> list[Cell]:
    corners = np.array([-30.0, -30]), np.array([30.0, 30])
    return place_cells(*corners, density, size, (-3.0, -3.0), np.random.default_rng(seed))


@settings(max_examples=8)
@given(st.sampled_from(sorted(BUILDERS)), st.integers(0, 50), st.floats(0.6, 1.5))
def test_a_structure_lies_where_it_belongs(name: StructureName, seed: int, size: float) -> None:
    cell = _cells(seed, size)[0]
    emitters = BUILDERS[name](cell, 1.0, np.random.default_rng(seed))
    points, light = emitters[:, :3], emitters[:, 3]
    assert len(emitters) > 500
    assert np.all(light > 0)
    in_nucleus = cell.in_nucleus(points, swell_um=0.4 if name == "nuclei" else -0.2)
    if name == "nuclei":
        assert np.all(in_nucleus)
    else:
        assert in_nucleus.mean() < 0.02
    top = cell.thickness_um(points[:, 1], points[:, 2])
    inside = (points[:, 0] > -0.5) & (points[:, 0] < top + 0.5)
    assert inside.mean() > 0.95


@settings(max_examples=20)
@given(st.integers(0, 100))
def test_nuclei_do_not_overlap(seed: int) -> None:
    cells = _cells(seed, density=5.0)
    turn = np.linspace(0, 2 * np.pi, 40)
    for cell in cells:
        rim = np.stack([0 * turn, np.sin(turn), np.cos(turn)], axis=1) * cell.nucleus_um
        rim = cell.place(rim + cell.nucleus_centre_um)
        others = [other for other in cells if other is not cell]
        assert not any(other.in_nucleus(other.local(rim)).any() for other in others)


@settings(max_examples=20)
@given(st.integers(0, 100))
def test_a_cells_frame_goes_there_and_back(seed: int) -> None:
    cell = _cells(seed)[0]
    points = np.random.default_rng(seed).normal(0, 10, (20, 3))
    np.testing.assert_allclose(cell.local(cell.place(points)), points, atol=1e-9)


@pytest.mark.parametrize("name", sorted(set(BUILDERS) - {"nuclei"}))
def test_abundance_is_how_much_there_is(name: StructureName) -> None:
    cell = _cells(3)[0]
    few, many = (
        len(BUILDERS[name](cell, abundance, np.random.default_rng(1))) for abundance in (0.5, 2.0)
    )
    assert 2 < many / few < 8


def test_nuclei_have_no_speckle_of_their_own() -> None:
    """Emitters lie on a lattice finer than any microscope resolves."""
    cell = _cells(5)[0]
    emitters = BUILDERS["nuclei"](cell, 1.0, np.random.default_rng(0))
    volume = 4 / 3 * np.pi * np.prod(cell.nucleus_um)
    assert len(emitters) > 100 * volume
