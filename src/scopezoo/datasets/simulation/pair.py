"""One field: its specimen, and what each instrument makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from scopezoo.datasets.simulation import misregistration as lie
from scopezoo.datasets.simulation import transmitted
from scopezoo.datasets.simulation.cell import Cell, place_cells
from scopezoo.datasets.simulation.config import PairConfig, Specimen
from scopezoo.datasets.simulation.detector import bleached, detect, exposed, lit
from scopezoo.datasets.simulation.instrument import Instrument
from scopezoo.datasets.simulation.optics import WIDEFIELD_REACH_UM
from scopezoo.datasets.simulation.render import render
from scopezoo.datasets.simulation.structures import BUILDERS, StructureName
from scopezoo.image import Image

SURROUNDINGS_UM = 14.0
"""Round the fields: cells that lie there reach in, with their parts or their light."""
REACH_UM = max(WIDEFIELD_REACH_UM)
"""Emitters further from both fields are left out."""
COVERSLIP_UM = -2.8
"""Where the specimen begins, against the middle of the target's field."""


@dataclass(frozen=True)
class SimulatedPair:
    """What two instruments saw of one field, and what there was.

    Images are uint16 ZYX, or TZYX with several frames. Clean images are the expected photons of the
    same voxels without background and bleaching, float32 ZYX. `emitters` (N × z, y, x, brightness)
    are in µm of the target's frame (of the source's, where there is no target).
    """

    source: Image
    target: Image | None
    source_clean: NDArray[np.float32]
    target_clean: NDArray[np.float32] | None
    source_to_target: NDArray[np.float64]
    drift_um: NDArray[np.float64]
    """Of the source's stage at each of its planes (planes × y, x)."""
    specimen: str
    structures: tuple[StructureName, ...]
    emitters: NDArray[np.float32]
    cells: tuple[Cell, ...]
    """In a frame with the origin in the middle of the target's field."""


def simulate_pair(
    config: PairConfig, seed: int | SeedSequence, specimen: str | None = None
) -> SimulatedPair:
    """Simulate one field of a specimen (by name; the first unless said otherwise).

    The same configuration and seed give the same bytes. Raises UsageError for an unknown specimen.
    """
    kind = config.specimen(specimen)
    sequence = seed if isinstance(seed, SeedSequence) else SeedSequence(seed)
    # apart from each other, so that another detector images the same field
    matter, place, source_noise, target_noise = children(sequence, 4)
    target = config.target or config.source
    matrix, way = _draw_registration(config, target, np.random.default_rng(place))
    to_specimen = np.eye(4)
    to_specimen[:3, 3] = -target.centre_um
    cells, parts = _grow(config, kind, target, to_specimen, matrix, matter)
    labelled = np.concatenate(
        [_with_light(parts[name], share) for name, share in kind.structures.items()]
    )
    labelled[:, :3] += target.centre_um
    to_source = np.linalg.inv(matrix)

    def in_source(points: NDArray[Any]) -> NDArray[np.float64]:
        moved = lie.transform(to_source, points[:, :3])
        moved = lie.drifted(moved, way, config.source.voxel_um[0])
        return np.column_stack([moved, points[:, 3]])

    if config.source.kind == "transmitted":
        source_clean = transmitted.image(
            config.source,
            to_specimen @ matrix,
            cells,
            [
                in_source(_with_light(parts[name], share) + np.array([*target.centre_um, 0]))
                for name, share in transmitted.STRUCTURE.items()
            ],
        )
    else:
        source_clean = render(lit(in_source(labelled), config.source), config.source)
    source_clean = exposed(source_clean, config.source, kind.signal)
    source = _acquire(source_clean, config.source, kind, config.frames, source_noise)
    target_clean, target_image = None, None
    if config.target is not None:
        target_clean = render(lit(labelled, target), target)
        target_clean = exposed(target_clean, target, kind.signal)
        target_image = _acquire(target_clean, target, kind, 1, target_noise)
    return SimulatedPair(
        source,
        target_image,
        source_clean,
        target_clean,
        matrix,
        way,
        kind.name,
        tuple(kind.structures),
        labelled.astype(np.float32),
        tuple(cells),
    )


def children(sequence: SeedSequence, count: int) -> list[SeedSequence]:
    """Children by number; unlike `spawn`, the same each time."""
    return [
        SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, number))
        for number in range(count)
    ]


def _draw_registration(
    config: PairConfig, target: Instrument, rng: Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    limits = config.misregistration
    shift = rng.uniform(-1, 1, 3) * limits.shift_um
    rotation = rng.uniform(-1, 1) * limits.rotation_deg
    scale = 1 + rng.uniform(-1, 1) * limits.scale
    matrix = lie.source_to_target(config.source, target, shift.tolist(), rotation, scale)
    return matrix, lie.drift(config.source.shape[0], limits.drift_um, rng)


def _grow(
    config: PairConfig,
    kind: Specimen,
    target: Instrument,
    to_specimen: NDArray[np.float64],
    matrix: NDArray[np.float64],
    sequence: SeedSequence,
) -> tuple[list[Cell], dict[StructureName, NDArray[np.float64]]]:
    """Cells in and around both fields, and the emitters (N × 4) of each structure in them."""
    names: set[StructureName] = {*kind.structures}
    if config.source.kind == "transmitted":
        names |= set(transmitted.STRUCTURE)
    corners = np.concatenate(
        [
            lie.transform(to_specimen @ frame, _corners(instrument))
            for frame, instrument in ((matrix, config.source), (np.eye(4), target))
        ]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    where, *each = children(sequence, 1 + len(BUILDERS))
    cells = place_cells(
        low[1:] - SURROUNDINGS_UM,
        high[1:] + SURROUNDINGS_UM,
        kind.density,
        kind.size,
        (COVERSLIP_UM - kind.depth_um / 2, COVERSLIP_UM + kind.depth_um / 2),
        np.random.default_rng(where),
    )
    parts = {}
    for (name, build), child in zip(BUILDERS.items(), each, strict=True):
        if name in names:
            rng = np.random.default_rng(child)
            grown = [np.empty((0, 4))]
            for cell in cells:
                points = build(cell, kind.abundance, rng)
                points[:, :3] = cell.place(points[:, :3])
                seen = (points[:, :3] > low - REACH_UM) & (points[:, :3] < high + REACH_UM)
                grown.append(points[seen.all(axis=1)])
            parts[name] = np.concatenate(grown)
    return cells, parts


def _corners(instrument: Instrument) -> NDArray[np.float64]:
    ends = [(0.0, 2 * middle) for middle in instrument.centre_um]
    return np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)


def _with_light(points: NDArray[Any], factor: float) -> NDArray[np.float64]:
    return np.asarray(points * [1, 1, 1, factor])


def _acquire(
    clean: NDArray[np.float32],
    instrument: Instrument,
    kind: Specimen,
    frames: int,
    sequence: SeedSequence,
) -> Image:
    photons = bleached(clean, instrument, frames, kind.background)
    grey = detect(photons, instrument, np.random.default_rng(sequence))
    sizes = dict(zip("ZYX", instrument.voxel_um, strict=True))
    axes = "TZYX" if frames > 1 else "ZYX"
    return Image(grey if frames > 1 else grey[0], axes, sizes, source=instrument.name)
