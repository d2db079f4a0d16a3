"""How the frames of two instruments lie to each other; all in µm, axes z y x."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.simulation.instrument import Instrument


def source_to_target(
    source: Instrument,
    target: Instrument,
    shift_um: Sequence[float],
    rotation_deg: float,
    scale: float,
) -> NDArray[np.float64]:
    """4×4 matrix from positions in the source to those in the target.

    Both have the origin at the centre of their first voxel. The source is turned about z and scaled
    about its middle, whose place is then the target's middle plus `shift_um` (z, y, x).
    """
    angle = np.deg2rad(rotation_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.eye(4)
    matrix[:3, :3] = scale * np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    matrix[:3, 3] = target.centre_um + shift_um - matrix[:3, :3] @ source.centre_um
    return matrix


def transform(matrix: NDArray[Any], points_um: NDArray[Any]) -> NDArray[np.float64]:
    """Points (N × z, y, x) under a 4×4 matrix."""
    return np.asarray(np.einsum("ni,ji->nj", points_um, matrix[:3, :3]) + matrix[:3, 3])


def drift(planes: int, amplitude_um: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth way of the stage (planes × y, x) in µm, mean 0, that far from it at most."""
    time = np.linspace(0, 1, planes)[:, None]
    waves = np.arange(1, 4)
    amplitude = rng.standard_normal((3, 2)) / waves[:, None]
    way = np.cos(np.pi * time * waves) @ amplitude
    way -= way.mean(axis=0)
    largest = np.abs(np.hypot(way[:, 0], way[:, 1])).max()
    return np.asarray(way * (amplitude_um / largest if largest > 0 else 0.0))


def drifted(points_um: NDArray[Any], way_um: NDArray[Any], step_um: float) -> NDArray[np.float64]:
    """Points (N × z, y, x) moved by the drift of the plane that they lie in."""
    planes = np.arange(len(way_um)) * step_um
    moved = np.array(points_um, dtype=np.float64)
    for axis in range(2):
        moved[:, axis + 1] += np.interp(points_um[:, 0], planes, way_um[:, axis])
    return moved
