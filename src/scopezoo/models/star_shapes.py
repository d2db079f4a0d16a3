"""The geometry of StarDist: polygons in planes, polyhedra in stacks, by the package `stardist`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scopezoo.models.recipe import StarDist3dRecipe, StarDistRecipe


@dataclass(frozen=True)
class Thresholds:
    """Of the object probability, and of the overlap at which the less probable one is dropped."""

    probability: float
    overlap: float


@dataclass(frozen=True)
class Stars:
    """Objects that were found: centres (n, axes), distances (n, rays), probabilities (n,)."""

    centres: NDArray[np.int64]
    distances: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def above(self, probability: float) -> Stars:
        """Those that are more probable."""
        keep = self.probabilities > probability
        return Stars(self.centres[keep], self.distances[keep], self.probabilities[keep])


class StarShape(Protocol):
    """What a network is to say of labels, and back.

    `grid` are the pixels of one cell, per axis. Objects are not looked for in the first and last
    `border` cells (`b` of `stardist_postprocessing`): there is none in a stack, for nuclei that the
    first and last planes cut are as real as the others.
    """

    @property
    def rays(self) -> int: ...

    @property
    def grid(self) -> tuple[int, ...]: ...

    @property
    def border(self) -> int: ...

    def targets(self, labels: NDArray[np.int32]) -> NDArray[np.float32]:
        """Object probability, then distances in pixels: float32 (1 + rays, cells …).

        The probability is the distance to the object's edge over the object's largest such.
        """
        ...

    def find(self, stars: NDArray[np.float32], thresholds: Thresholds) -> Stars:
        """Objects of a network's output (cells …, 1 + rays), the less probable of overlapping ones
        dropped."""
        ...

    def render(self, stars: Stars, shape: tuple[int, ...]) -> NDArray[np.int32]:
        """Labels from 1; where objects overlap the more probable one is on top."""
        ...


@dataclass(frozen=True)
class Polygons:
    """Objects in a plane, YX, a cell for each pixel."""

    rays: int
    grid: tuple[int, ...] = (1, 1)
    border: int = 2

    def targets(self, labels: NDArray[np.int32]) -> NDArray[np.float32]:
        from stardist.geometry import star_dist
        from stardist.utils import edt_prob

        distances = star_dist(labels, self.rays).transpose(2, 0, 1)
        return np.concatenate([edt_prob(labels)[None], distances]).astype(np.float32)

    def find(self, stars: NDArray[np.float32], thresholds: Thresholds) -> Stars:
        from stardist import non_maximum_suppression

        centres, probabilities, distances = non_maximum_suppression(
            np.ascontiguousarray(stars[..., 1:]),
            np.ascontiguousarray(stars[..., 0]),
            grid=self.grid,
            b=self.border,
            prob_thresh=thresholds.probability,
            nms_thresh=thresholds.overlap,
        )
        return Stars(centres, distances, probabilities)

    def render(self, stars: Stars, shape: tuple[int, ...]) -> NDArray[np.int32]:
        from stardist import polygons_to_label

        labels = polygons_to_label(
            stars.distances, stars.centres, prob=stars.probabilities, shape=shape
        )
        return np.asarray(labels, dtype=np.int32)


@dataclass(frozen=True)
class Polyhedra:
    """Objects in a stack, ZYX; `anisotropy` is how much flatter than wide they are in voxels."""

    rays: int
    anisotropy: tuple[float, float, float]
    grid: tuple[int, ...] = (2, 4, 4)
    border: int = 0

    @cached_property
    def directions(self) -> Any:
        """Directions of the rays, evenly on a sphere that is flattened by the anisotropy."""
        from stardist import Rays_GoldenSpiral

        return Rays_GoldenSpiral(self.rays, anisotropy=self.anisotropy)

    def targets(self, labels: NDArray[np.int32]) -> NDArray[np.float32]:
        from stardist.geometry import star_dist3D
        from stardist.utils import edt_prob

        cells = tuple(slice(None, None, step) for step in self.grid)
        probability = edt_prob(labels, anisotropy=self.anisotropy)[cells]
        distances = star_dist3D(labels, self.directions, grid=self.grid)
        return np.concatenate([probability[None], np.moveaxis(distances, -1, 0)]).astype(np.float32)

    def find(self, stars: NDArray[np.float32], thresholds: Thresholds) -> Stars:
        from stardist import non_maximum_suppression_3d

        centres, probabilities, distances = non_maximum_suppression_3d(
            np.ascontiguousarray(stars[..., 1:]),
            np.ascontiguousarray(stars[..., 0]),
            self.directions,
            grid=self.grid,
            b=self.border,
            prob_thresh=thresholds.probability,
            nms_thresh=thresholds.overlap,
        )
        return Stars(centres, distances, probabilities)

    def render(self, stars: Stars, shape: tuple[int, ...]) -> NDArray[np.int32]:
        from stardist import polyhedron_to_label

        if not len(stars.centres):
            return np.zeros(shape, dtype=np.int32)
        labels = polyhedron_to_label(
            stars.distances,
            stars.centres,
            self.directions,
            shape,
            prob=stars.probabilities,
            verbose=False,
        )
        return np.asarray(labels, dtype=np.int32)


def star_shape(recipe: StarDistRecipe | StarDist3dRecipe) -> StarShape:
    """The shape of a recipe's objects."""
    if isinstance(recipe, StarDist3dRecipe):
        return Polyhedra(recipe.network.rays, recipe.anisotropy)
    return Polygons(recipe.network.rays)
