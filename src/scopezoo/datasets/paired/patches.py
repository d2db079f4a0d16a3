"""Aligned patches of a dataset, streamed: the n-th one follows from the seed and n alone.

Patches lie on the grid of one image of the pair; the other is resampled there by the registered
transform, once, from its raw pixels, and no more of it is read than a patch needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.foreground import SignalMap, signal_map
from scopezoo.datasets.paired.sampling import (
    Block,
    GriddedImage,
    IndexMap,
    index_map,
    index_matrix,
    inverse,
    is_inside,
    sampled_block,
)
from scopezoo.datasets.split import Part
from scopezoo.errors import UsageError

if TYPE_CHECKING:
    from scopezoo.datasets.paired.manifest import Pair
    from scopezoo.datasets.paired.store import Dataset

Grid = Literal["source", "target"]
TRIES = 2000
"""Places that are tried before a pair is said to have no room for a patch."""
OPEN_PAIRS = 64


@dataclass(frozen=True)
class Patch:
    """Two arrays of one shape (float32, ZYX, or YX of planes) that show the same place.

    `start` is the index of the first voxel on the grid, z y x.
    """

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    pair: str
    start: tuple[int, int, int]


@dataclass(frozen=True)
class _OpenPair:
    fixed: GriddedImage
    moving: GriddedImage
    where: IndexMap
    signal: SignalMap


class Patches:
    """An endless sequence: `patches[n]` is always the same patch, whatever was asked for before.

    `size` is (z, y, x), or (y, x) for planes. With `grid` "source" the target is resampled onto the
    source's grid, with "target" the other way round. So many of the patches as `foreground` says
    are drawn where the target has signal, the others anywhere; every patch lies whole in both
    images. `order` is that of the spline that resamples: 1, 3, or 0. A part of None takes all
    pairs.

    Raises UsageError for a dataset without split or registered pairs, and for sizes that cannot be.
    """

    def __init__(
        self,
        dataset: Dataset,
        part: Part | None,
        size: Sequence[int],
        seed: int,
        *,
        grid: Grid = "source",
        foreground: float = 0.8,
        order: int = 1,
    ) -> None:
        if len(size) not in (2, 3) or min(size) < 1:
            raise UsageError(f"patch size {tuple(size)}: expected z, y, x or y, x, each at least 1")
        if order not in (0, 1, 3):
            raise UsageError(f"order {order}: expected 0, 1 or 3")
        self.pairs = dataset.pairs_of(part)
        self._dataset = dataset
        self._flat = len(size) == 2
        self._size = (1, *size) if self._flat else tuple(size)
        self._seed = seed
        self._grid = grid
        self._foreground = foreground
        self._order = order
        self._opened = lru_cache(maxsize=OPEN_PAIRS)(self._open)

    def __iter__(self) -> Iterator[Patch]:
        number = 0
        while True:
            yield self[number]
            number += 1

    def __getitem__(self, number: int) -> Patch:
        rng = np.random.default_rng((self._seed, number))
        index = int(rng.integers(len(self.pairs)))
        opened = self._opened(index)
        block = self._place(opened, rng, self.pairs[index])
        fixed = opened.fixed.read(block)
        moving = sampled_block(opened.moving, opened.where, block, self._order)
        if self._flat:
            fixed, moving = fixed[0], moving[0]
        source, target = (fixed, moving) if self._grid == "source" else (moving, fixed)
        start = (block[0].start, block[1].start, block[2].start)
        return Patch(source, target, self.pairs[index].id, start)

    def _open(self, index: int) -> _OpenPair:
        pair = self.pairs[index]
        assert pair.source_to_target is not None  # pairs_of gives registered ones alone
        source, target = (
            GriddedImage.of(self._dataset.image(entry), entry)
            for entry in (pair.source, pair.target)
        )
        transform = pair.source_to_target
        fixed, moving = (source, target) if self._grid == "source" else (target, source)
        self._check_room(fixed, pair)
        where = index_map(transform, source, target, onto=self._grid)
        # where there is signal, the target tells better
        to_fixed = inverse(transform.array) if self._grid == "source" else np.eye(4)
        signal = signal_map(target, index_matrix(to_fixed, target, fixed))
        return _OpenPair(fixed, moving, where, signal)

    def _check_room(self, fixed: GriddedImage, pair: Pair) -> None:
        if any(want > size for want, size in zip(self._size, fixed.shape, strict=True)):
            raise UsageError(
                f"a patch of {self._size} (z, y, x) is larger than the {self._grid} image of pair "
                f"{pair.id}, {fixed.shape}"
            )

    def _place(self, opened: _OpenPair, rng: np.random.Generator, pair: Pair) -> Block:
        room = np.subtract(opened.fixed.shape, self._size)
        on_signal = rng.random() < self._foreground
        for attempt in range(TRIES):
            if on_signal and attempt < TRIES // 2:
                place = opened.signal.draw(rng)
                corner = np.rint(place - rng.random(3) * self._size).astype(int)
                start = np.clip(corner, 0, room)
            else:
                start = rng.integers(0, room, endpoint=True)
            z, y, x = (
                slice(int(first), int(first) + length)
                for first, length in zip(start, self._size, strict=True)
            )
            if is_inside((z, y, x), opened.where, opened.moving.shape):
                return z, y, x
        raise UsageError(
            f"pair {pair.id}: found no place where a patch of {self._size} (z, y, x) lies in both "
            "images; ask for smaller patches"
        )
