from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scopezoo.datasets.simulation import (
    Misregistration,
    PairConfig,
    Specimen,
    read_config,
    simulate_pair,
)
from scopezoo.datasets.simulation import pair as pair_module
from scopezoo.datasets.simulation.cell import Cell
from scopezoo.datasets.simulation.misregistration import drift, drifted, transform
from scopezoo.errors import UsageError
from tests.datasets.simulation.small import (
    CONFOCAL,
    FINE_CONFOCAL,
    FINE_WIDEFIELD,
    PAIR,
    WIDEFIELD,
    brightest,
)


@pytest.mark.parametrize("seed", range(4))
def test_the_matrix_takes_what_the_source_sees_to_where_the_target_sees_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_spot(cell: Cell, _abundance: float, _rng: object) -> NDArray[np.float64]:
        return np.column_stack([cell.local(np.array([[0.15, 0.73, -0.41]])), [1.0]])

    monkeypatch.setattr(pair_module, "BUILDERS", {"puncta": one_spot})
    config = PAIR.model_copy(
        update={
            "source": FINE_WIDEFIELD,
            "target": FINE_CONFOCAL,
            "misregistration": Misregistration(
                shift_um=(0.5, 1.0, 1.0), rotation_deg=20, scale=0.05
            ),
            "specimens": (Specimen(name="spot", structures={"puncta": 1.0}),),
        }
    )
    pair = simulate_pair(config, seed)
    assert pair.target_clean is not None
    in_source = brightest(pair.source_clean) * FINE_WIDEFIELD.voxel_um
    in_target = brightest(pair.target_clean) * FINE_CONFOCAL.voxel_um
    error = transform(pair.source_to_target, in_source[None])[0] - in_target
    assert np.all(np.abs(error) < 0.02 * np.array(FINE_WIDEFIELD.voxel_um))
    np.testing.assert_allclose(in_target, pair.emitters[0, :3], atol=0.001)


def test_the_matrix_is_what_was_asked_for() -> None:
    limits = Misregistration(shift_um=(0.5, 4.0, 6.0), rotation_deg=3.0, scale=0.01)
    config = PAIR.model_copy(update={"misregistration": limits})
    for seed in range(5):
        matrix = simulate_pair(config, seed, "vesicles").source_to_target
        scale = np.cbrt(np.linalg.det(matrix[:3, :3]))
        angle = np.rad2deg(np.arctan2(matrix[1, 2], matrix[1, 1]))
        middle = transform(matrix, WIDEFIELD.centre_um[None])[0]
        assert abs(scale - 1) <= 0.01
        assert abs(angle) <= 3
        assert np.all(np.abs(middle - CONFOCAL.centre_um) <= limits.shift_um)


def test_the_drift_moves_planes() -> None:
    way = drift(12, 0.4, np.random.default_rng(1))
    assert np.hypot(*way.T).max() == pytest.approx(0.4)
    assert np.abs(way.mean(axis=0)).max() < 1e-12
    assert np.abs(np.diff(way, axis=0)).max() < 0.2
    points = np.array([[0.0, 1, 2], [3.3, 1, 2]])
    np.testing.assert_allclose(drifted(points, way, 0.3)[:, 1:] - points[:, 1:], way[[0, 11]])


def test_the_same_seed_gives_the_same_bytes_another_does_not() -> None:
    first, again, other = (simulate_pair(PAIR, seed) for seed in (3, 3, 4))
    for name in ("source_clean", "target_clean", "source_to_target", "emitters"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
        assert getattr(first, name).tobytes() != getattr(other, name).tobytes()
    assert first.source.read().tobytes() == again.source.read().tobytes()


def test_another_detector_sees_the_same_field() -> None:
    noisier = PAIR.model_copy(update={"source": replace(WIDEFIELD, read_noise_electrons=20.0)})
    first, second = simulate_pair(PAIR, 1), simulate_pair(noisier, 1)
    assert np.array_equal(first.source_clean, second.source_clean)
    assert not np.array_equal(first.source.read(), second.source.read())


def test_images_say_what_they_are() -> None:
    pair = simulate_pair(PAIR, 1)
    assert pair.target is not None
    assert (pair.source.axes, pair.source.shape) == ("ZYX", WIDEFIELD.shape)
    assert pair.target.pixel_size_um == {"Z": 0.2, "Y": 0.1, "X": 0.1}
    assert pair.source.dtype == np.uint16
    assert pair.structures == ("puncta",)


def test_the_wide_field_image_is_the_blurred_one() -> None:
    """The confocal holds more of its light in high frequencies."""
    pair = simulate_pair(
        PAIR.model_copy(update={"misregistration": Misregistration()}), 2, "mitochondria"
    )
    assert pair.target_clean is not None

    def contrast(image: NDArray[Any]) -> float:
        return float(image.std() / image.mean())

    assert contrast(pair.target_clean) > 1.5 * contrast(pair.source_clean)


def test_low_and_high_signal_are_one_image() -> None:
    config = read_config("low-high-signal").small()
    pair = simulate_pair(config, 1, "vesicles")
    assert pair.target_clean is not None
    np.testing.assert_allclose(pair.target_clean, pair.source_clean * 40, rtol=1e-4)


def test_a_noisy_series_has_frames_and_no_target() -> None:
    config = read_config("noisy").small()
    pair = simulate_pair(config, 1)
    assert pair.target is None
    assert pair.source.axes == "TZYX"
    bright = pair.source_clean > np.percentile(pair.source_clean, 99)
    microscope = config.source
    light = (pair.source.read()[:, bright].mean(axis=1) - microscope.offset) / microscope.gain
    light -= microscope.background_photons
    assert light[-1] / light[0] == pytest.approx(1 - microscope.bleaching, abs=0.1)


def test_a_specimen_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no specimen 'bone'; it has vesicles, mitochondria"):
        simulate_pair(PAIR, 1, "bone")


def test_each_specimen_looks_different() -> None:
    config: PairConfig = read_config("widefield-confocal").small()
    dim = simulate_pair(config, 1, "test-dense-dim").source_clean
    bright = simulate_pair(config, 1, "chromatin").source_clean
    assert dim.max() < 0.7 * bright.max()
