from __future__ import annotations

import numpy as np
import pytest

from scopezoo.datasets.simulation import Instrument, PairConfig, read_config, simulate_pair
from scopezoo.datasets.simulation.transmitted import bright_field

LAMP = Instrument(
    name="bright field",
    kind="transmitted",
    na=0.9,
    immersion_index=1.0,
    wavelength_um=(0.55, 0.55),
    voxel_um=(0.4, 0.16, 0.16),
    shape=(20, 64, 64),
    photons=1000,
)


@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_what_is_even_is_not_seen(delay: float) -> None:
    even = np.full(LAMP.shape, delay, dtype=np.float32)
    np.testing.assert_allclose(bright_field(even, LAMP, 4), 1, atol=1e-4)


def test_a_thin_clear_object_shows_out_of_focus() -> None:
    """Zernike: a weak phase object has no contrast in focus, and opposite ones on both sides."""
    lens = np.zeros(LAMP.shape, dtype=np.float32)
    y, x = np.indices(LAMP.shape[1:]) - 32
    lens[10] = 0.02 * np.exp(-(y**2 + x**2) / 2 / 3.0**2)
    image = bright_field(lens, LAMP, 4)
    middle = image[:, 32, 32] - 1
    focus = 10 - 4
    assert np.abs(middle[focus]) < 0.25 * np.abs(middle).max()
    assert middle[focus - 4] * middle[focus + 4] < 0
    np.testing.assert_allclose(image.mean(axis=(1, 2)), 1, atol=0.01)


def test_cells_are_seen_where_they_glow() -> None:
    config: PairConfig = read_config("transmitted-fluorescence").small()
    pair = simulate_pair(config, 3, "crowded")
    assert pair.target_clean is not None
    plane = len(pair.source_clean) // 2
    light = pair.source_clean[plane] / pair.source_clean[plane].mean()
    glow = pair.target_clean[plane]
    labelled, empty = glow > np.percentile(glow, 80), glow <= np.percentile(glow, 20)
    assert light[labelled].std() > 1.5 * light[empty].std()
