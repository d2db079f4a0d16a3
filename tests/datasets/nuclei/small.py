"""A small dataset of nuclei, simulated in seconds."""

from __future__ import annotations

from typing import Any

from scopezoo.datasets.nuclei import NucleiConfig, Tissue
from scopezoo.datasets.simulation import Instrument

CONFOCAL = Instrument(
    name="confocal",
    kind="confocal",
    na=0.7,
    immersion_index=1.33,
    wavelength_um=(0.405, 0.46),
    voxel_um=(0.8, 0.6, 0.6),
    shape=(16, 32, 36),
    photons=80,
)


def tissue(**changes: Any) -> Tissue:
    """Crowded, touching nuclei."""
    settings: dict[str, Any] = {
        "name": "tissue",
        "part": "training",
        "microscope": "confocal",
        "half_axes_um": (2.8, 3.2, 4.0),
        "filling": 0.25,
        "touching": 0.5,
    }
    return Tissue(**settings | changes)


CONFIG = NucleiConfig(
    name="small",
    description="for tests",
    stacks=1,
    microscopes={"confocal": CONFOCAL},
    specimens=(tissue(), tissue(name="check", part="validation"), tissue(name="new", part="test")),
)
