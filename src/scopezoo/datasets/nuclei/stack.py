"""One stack: nuclei, what a microscope sees of them, and their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from scopezoo.datasets.nuclei.config import Tissue
from scopezoo.datasets.nuclei.nucleus import Nucleus
from scopezoo.datasets.nuclei.packing import numbered, pack_nuclei
from scopezoo.datasets.simulation.detector import bleached, detect, exposed, lit
from scopezoo.datasets.simulation.instrument import Instrument
from scopezoo.datasets.simulation.pair import children
from scopezoo.datasets.simulation.render import render
from scopezoo.datasets.simulation.structures import chromatin
from scopezoo.image import Image

PITCH_UM = np.full(3, 0.3)
"""Of chromatin's lattice."""
HAZE_UM = 4.0
"""Standard deviation of the haze's blur."""
LEAST_VOXELS = 150
"""Smaller slivers of nuclei at the border of the field have no label."""


@dataclass(frozen=True)
class SimulatedStack:
    """What the microscope saw, uint16 ZYX, and the nuclei in it, int32 ZYX from 1, 0 for none."""

    image: Image
    labels: NDArray[np.int32]


def simulate_stack(
    tissue: Tissue, instrument: Instrument, seed: int | SeedSequence
) -> SimulatedStack:
    """A stack of a specimen; the same arguments give the same bytes."""
    sequence = seed if isinstance(seed, SeedSequence) else SeedSequence(seed)
    matter, noise = (np.random.default_rng(child) for child in children(sequence, 2))
    volume = pack_nuclei(tissue, instrument, matter)
    emitters = np.concatenate(
        [np.empty((0, 4)), *(_emitters(nucleus, tissue, matter) for nucleus in volume.nuclei)]
    )
    photons = exposed(render(lit(emitters, instrument), instrument), instrument, tissue.signal)
    photons += _haze(instrument, matter) * (tissue.haze * tissue.signal * instrument.photons)
    expected = bleached(photons, instrument, 1, tissue.background)[0]
    sizes = dict(zip("ZYX", instrument.voxel_um, strict=True))
    return SimulatedStack(
        Image(detect(expected, instrument, noise), "ZYX", sizes, source=instrument.name),
        numbered(volume.field_labels(instrument.shape), LEAST_VOXELS),
    )


def _emitters(nucleus: Nucleus, tissue: Tissue, rng: Generator) -> NDArray[np.float64]:
    """Light of a nucleus: N × z, y, x (µm), brightness."""
    points = chromatin(nucleus.half_um, tissue.contrast, rng, PITCH_UM)
    light = points[:, 3] * rng.lognormal(0, tissue.brightness_variation)
    return np.column_stack([nucleus.place(points[:, :3]), light])


def _haze(instrument: Instrument, rng: Generator) -> NDArray[np.float32]:
    """Smooth light ZYX between 0 and 1."""
    from scipy.ndimage import gaussian_filter

    noise = rng.standard_normal(instrument.shape).astype(np.float32)
    smooth = gaussian_filter(noise, HAZE_UM / np.array(instrument.voxel_um))
    return np.asarray((smooth - smooth.min()) / (np.ptp(smooth) or 1), dtype=np.float32)
