"""Small instruments and a small dataset, simulated in a second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.simulation import Instrument, Misregistration, PairConfig, Specimen

WIDEFIELD = Instrument(
    name="wide-field",
    kind="widefield",
    na=1.3,
    wavelength_um=(0.488, 0.52),
    voxel_um=(0.3, 0.16, 0.16),
    shape=(12, 40, 44),
    photons=200,
)
CONFOCAL = Instrument(
    name="confocal",
    kind="confocal",
    na=1.4,
    wavelength_um=(0.488, 0.52),
    voxel_um=(0.2, 0.1, 0.1),
    shape=(16, 52, 48),
    photons=100,
    excess_noise=1.3,
)
# with voxels so small that powers of the image can be summed without aliasing
FINE_WIDEFIELD = replace(WIDEFIELD, voxel_um=(0.25, 0.1, 0.1), shape=(24, 60, 64))
FINE_CONFOCAL = replace(CONFOCAL, voxel_um=(0.1, 0.05, 0.05), shape=(32, 88, 80))
PAIR = PairConfig(
    name="small",
    description="for tests",
    fields=1,
    source=WIDEFIELD,
    target=CONFOCAL,
    misregistration=Misregistration(
        shift_um=(0.5, 1.0, 1.0), rotation_deg=3.0, scale=0.01, drift_um=0.1
    ),
    specimens=(
        Specimen(name="vesicles", structures={"puncta": 1.0}, density=2.0),
        Specimen(name="mitochondria", structures={"tubules": 1.0}, density=2.0),
    ),
)


def brightest(image: NDArray[Any]) -> NDArray[np.float64]:
    """Where the one spot of an image is, in voxels: its centroid.

    Of the third power, so that the light that is cut off at the field's edge counts nothing.
    """
    weight = image.astype(np.float64) ** 3
    return np.array([(weight * grid).sum() for grid in np.indices(image.shape)]) / weight.sum()
