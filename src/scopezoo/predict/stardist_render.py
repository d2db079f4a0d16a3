"""StarDist objects drawn as labels, in any region of the sample and at any scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.stardist import Candidates, StardistParameters

VISIBLE_BLOCK_PX = {2: 1024, 3: 128}
BOXES_AT_ONCE = 20_000


@lru_cache
def star_rays(parameters: StardistParameters) -> Any:
    """stardist's rays of a 3D network."""
    from stardist import Rays_GoldenSpiral

    return Rays_GoldenSpiral(parameters.n_rays, anisotropy=parameters.anisotropy)


@dataclass(frozen=True)
class Objects:
    """Objects in the order of their numbers: by falling probability.

    `points` (int32, n × ndim) and `dist` (float32, n × n_rays) are in the network's input pixels;
    a pixel there is `scale` pixels (per axis) of the image drawn, which spans the same field.
    `labels` (int32, n) is what each object is drawn with, and `overlap_label` what is drawn where
    3D objects overlap, if anything else.
    """

    parameters: StardistParameters
    points: NDArray[np.int32]
    prob: NDArray[np.float32]
    dist: NDArray[np.float32]
    labels: NDArray[np.int32]
    scale: tuple[float, ...]
    overlap_label: int | None

    @classmethod
    def of(cls, kept: Candidates, parameters: StardistParameters) -> Objects:
        """The candidates that were kept, numbered from 1 as stardist does."""
        order = np.lexsort((*-kept.points.T[::-1], -kept.prob))
        return cls(
            parameters,
            kept.points[order],
            kept.prob[order],
            kept.dist[order],
            np.arange(1, len(kept) + 1, dtype=np.int32),
            (1.0,) * parameters.ndim,
            parameters.overlap_label,
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16, or uint32 for a label beyond 65,535."""
        highest = max(int(self.labels.max(initial=0)), self.overlap_label or 0)
        return np.dtype(np.uint16 if highest <= 65535 else np.uint32)

    def scaled(self, factors: Sequence[float]) -> Objects:
        """The same objects to be drawn on a grid with `factors` times as many pixels per axis."""
        return replace(
            self, scale=tuple(s * float(f) for s, f in zip(self.scale, factors, strict=True))
        )

    def visible(self, shape: Sequence[int]) -> Objects:
        """The objects with numbers that have no gap in an image of `shape`.

        An object that others, or the image's border, hide completely gets none and is dropped
        (with an overlap label it is kept, because its overlaps show).
        """
        blocks = _regions(shape, VISIBLE_BLOCK_PX[self.parameters.ndim])
        seen = np.unique(np.concatenate([np.unique(self.render(block)) for block in blocks]))
        seen = seen[seen > 0]
        numbers = (np.searchsorted(seen, self.labels) + 1).astype(np.int32)
        if self.overlap_label is not None:
            overlap = int(np.searchsorted(seen, self.overlap_label)) + 1
            return replace(self, labels=numbers, overlap_label=overlap if self.overlap_label else 0)
        shown = np.flatnonzero(np.isin(self.labels, seen))
        return replace(
            self,
            points=self.points[shown],
            prob=self.prob[shown],
            dist=self.dist[shown],
            labels=numbers[shown],
        )

    def render(self, region: Sequence[slice]) -> NDArray[Any]:
        """Labels of a region (one slice with start and stop per axis), 0 for background."""
        low = np.array([part.start for part in region])
        high = np.array([part.stop for part in region])
        boxes = self._boxes
        inside = (boxes[:, 0] < high).all(axis=1) & (boxes[:, 1] > low).all(axis=1)
        ids = np.flatnonzero(inside)
        # stardist's sort: what is drawn last, the most probable, is what shows
        ids = ids[np.argsort(self.prob[ids], kind="stable")]
        labels = np.zeros(high - low, self.dtype)
        draw = self._draw_polygons if self.parameters.ndim == 2 else self._draw_polyhedra
        if labels.size:
            draw(labels, low, ids)
        return labels

    def polygons(self) -> list[NDArray[np.float64]]:
        """Outlines of 2D objects in the order of their labels: (n_rays, 2) vertices y, x.

        Pixel centres have whole coordinates; pixels inside are those that `render` draws.
        """
        return list(np.moveaxis(self._corners(np.arange(len(self))), 1, 2))

    def _corners(self, ids: NDArray[np.intp]) -> NDArray[np.float64]:
        """Corners of 2D objects, (n, 2, n_rays), rounded as stardist does."""
        from stardist import dist_to_coord

        corners = np.asarray(dist_to_coord(self.dist[ids], self.points[ids]), np.float64)
        return self._on_grid(corners, axis=1)

    def _on_grid(self, position: NDArray[Any], axis: int) -> NDArray[np.float64]:
        """Positions in the network's input as positions in the image drawn."""
        scale = np.array(self.scale).reshape([-1 if a == axis else 1 for a in range(position.ndim)])
        on_grid: NDArray[np.float64] = (position + 0.5) * scale - 0.5
        return on_grid

    @cached_property
    def _boxes(self) -> NDArray[np.int64]:
        """First pixel in the image, and the one after the last, of each object: (n, 2, ndim)."""
        boxes = np.zeros((len(self), 2, self.parameters.ndim), np.int64)
        for start in range(0, len(self), BOXES_AT_ONCE):
            ids = np.arange(start, min(len(self), start + BOXES_AT_ONCE))
            if self.parameters.ndim == 2:
                corners = self._corners(ids)
            else:
                centres = self._on_grid(self.points[ids], axis=1)
                rays = np.moveaxis(self._rays.vertices, 0, 1)
                corners = centres[:, :, None] + self.dist[ids][:, None] * rays
            boxes[ids, 0] = np.maximum(0, np.floor(corners.min(axis=2)))
            boxes[ids, 1] = np.ceil(corners.max(axis=2)) + 1
        return boxes

    def _draw_polygons(
        self, labels: NDArray[Any], low: NDArray[np.int64], ids: NDArray[np.intp]
    ) -> None:
        from skimage.draw import polygon

        # corners have 24 bits: taking whole pixels off is exact, and the drawing the same
        corners = self._corners(ids) - low[:, None]
        for number, (y, x) in zip(self.labels[ids], corners, strict=True):
            labels[polygon(y, x, labels.shape)] = number  # type: ignore[no-untyped-call]

    def _draw_polyhedra(
        self, labels: NDArray[Any], low: NDArray[np.int64], ids: NDArray[np.intp]
    ) -> None:
        for index in ids[::-1]:
            start, stop = self._boxes[index] - low
            to = tuple(slice(max(0, a), b) for a, b in zip(start, stop, strict=True))
            part = labels[to]
            mask = self._polyhedron(int(index), low + labels.shape)
            mask = mask[tuple(slice(-n, None) for n in part.shape)]
            taken = self.overlap_label if self.overlap_label is not None else part
            part[...] = np.where(mask, np.where(part == 0, self.labels[index], taken), part)

    @cached_property
    def _rays(self) -> Any:
        return star_rays(self.parameters).copy(scale=self.scale)

    def _polyhedron(self, index: int, end: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The pixels of a 3D object in its box, as far as `end`."""
        mask = self._drawn(index, end)
        # on Ctrl-C stardist returns without a word, and without drawing; but it does so once
        if not mask.any() and self._drawn(index, end).any():
            raise KeyboardInterrupt
        return mask

    def _drawn(self, index: int, end: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Drawn near the origin, not where it lies: its rounding is the same in all regions.

        (A voxel within rounding of the surface may differ from stardist's drawing of the whole.)
        """
        from stardist import polyhedron_to_label

        low, high = self._boxes[index]
        shape = tuple(np.minimum(high, end) - low)
        centre = self._on_grid(self.points[index : index + 1], axis=1) - low
        dist = self.dist[index : index + 1]
        return np.asarray(
            polyhedron_to_label(dist, centre, self._rays, shape, verbose=False), np.bool_
        )


def _regions(shape: Sequence[int], block_px: int) -> Iterator[tuple[slice, ...]]:
    edges = [[*range(0, size, block_px), size] for size in shape]
    pairs = [pairwise(edge) for edge in edges]
    return ((tuple(slice(a, b) for a, b in box)) for box in product(*pairs))
