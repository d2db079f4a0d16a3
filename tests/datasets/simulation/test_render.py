from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.datasets.simulation import Instrument
from scopezoo.datasets.simulation.optics import WIDEFIELD_REACH_UM, instrument_psf, optics
from scopezoo.datasets.simulation.point_spread import RadialSpectrum
from scopezoo.datasets.simulation.render import render
from tests.datasets.simulation.small import (
    CONFOCAL,
    FINE_CONFOCAL,
    FINE_WIDEFIELD,
    WIDEFIELD,
    brightest,
)

offsets = st.tuples(*(3 * [st.floats(-1, 1)]))
instruments = st.sampled_from([WIDEFIELD, CONFOCAL])


def _emitter(instrument: Instrument, offset: tuple[float, ...]) -> NDArray[np.float64]:
    place = instrument.centre_um + np.array(offset) * instrument.voxel_um
    return np.array([[*place, 1.0]])


@settings(max_examples=10)
@given(st.sampled_from([FINE_WIDEFIELD, FINE_CONFOCAL]), offsets)
def test_an_emitter_lands_where_it_is(instrument: Instrument, offset: tuple[float, ...]) -> None:
    emitter = _emitter(instrument, offset)
    found = brightest(render(emitter, instrument))
    np.testing.assert_allclose(found, emitter[0, :3] / instrument.voxel_um, atol=0.02)


@settings(max_examples=6)
@given(instruments, offsets)
def test_the_image_is_the_psf_at_each_voxel(
    instrument: Instrument, offset: tuple[float, ...]
) -> None:
    emitter = _emitter(instrument, offset)
    expected = _directly(emitter[0], instrument)
    error = np.abs(render(emitter, instrument) - expected).max()
    assert error < 0.012 * expected.max()


def _directly(emitter: NDArray[Any], instrument: Instrument) -> NDArray[np.float64]:
    """The PSF around one emitter, at voxels, for a camera averaged over 8 × 8 points of each."""
    lens = optics(instrument)
    radial = RadialSpectrum(lens.reach_um[1], 11.2 if instrument.kind == "confocal" else 5.0)
    z, y, x = (np.arange(n) * s for n, s in zip(instrument.shape, instrument.voxel_um, strict=True))
    # the first plane sets the scale
    psf = instrument_psf(instrument, radial, np.concatenate([[0.0], np.abs(z - emitter[0])]))[1:]
    points = (np.arange(8) + 0.5) / 8 - 0.5 if instrument.kind == "widefield" else [0.0]
    _, pitch_y, pitch_x = instrument.voxel_um
    image = np.zeros(instrument.shape)
    for down, right in product(points, points):
        away_y, away_x = y + down * pitch_y - emitter[1], x + right * pitch_x - emitter[2]
        away = np.hypot(away_y[:, None], away_x[None])
        image += [np.interp(away, radial.radius_um, plane, right=0) for plane in psf]
    return image * pitch_y * pitch_x / len(points) ** 2


def test_each_plane_of_a_wide_field_holds_the_same_light() -> None:
    camera = replace(WIDEFIELD, shape=(14, 128, 128))
    flux = render(_emitter(camera, (0, 0, 0)), camera).sum(axis=(1, 2))
    np.testing.assert_allclose(flux, 1, atol=0.01)


def test_light_adds_up() -> None:
    one, other = _emitter(CONFOCAL, (0.3, -4, 2.2)), _emitter(CONFOCAL, (-2, 3.1, 0.4))
    together = render(np.concatenate([one, 3 * other / [3, 3, 3, 1]]), CONFOCAL)
    apart = render(one, CONFOCAL) + 3 * render(other, CONFOCAL)
    # but for ripples below 0 that are clipped
    np.testing.assert_allclose(together, apart, atol=2e-3 * apart.max())


@pytest.mark.parametrize("instrument", [WIDEFIELD, CONFOCAL])
def test_tiles_do_not_show(instrument: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    low, high = np.array([-2.0, -3, -3]), instrument.extent_um + np.array([2.0, 3, 3])
    emitters = np.column_stack([rng.uniform(low, high, (300, 3)), rng.random(300)])
    whole = render(emitters, instrument)
    monkeypatch.setattr("scopezoo.datasets.simulation.render.TILE_PX", 17)
    np.testing.assert_allclose(render(emitters, instrument), whole, atol=0.003 * whole.max())


def test_light_from_outside_of_the_stack_comes_in() -> None:
    below = _emitter(WIDEFIELD, (-12, 0, 0))
    assert render(below, WIDEFIELD).sum() > 1
    far = _emitter(WIDEFIELD, (-6 - WIDEFIELD_REACH_UM[0] / 0.3 - 1, 0, 0))
    assert render(far, WIDEFIELD).max() == 0
    assert render(np.empty((0, 4)), WIDEFIELD).max() == 0
