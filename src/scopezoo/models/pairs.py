"""Pairs of images to learn restoration from: normalised patches, and whole fields to measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.files import DatasetFiles
from scopezoo.datasets.paired.manifest import (
    SIDES,
    ImageEntry,
    Manifest,
    Pair,
    Side,
    Transform,
)
from scopezoo.datasets.paired.patches import Patch, Patches
from scopezoo.datasets.paired.sampling import (
    GriddedImage,
    index_map,
    sampled_block,
)
from scopezoo.datasets.split import Part
from scopezoo.image import Image
from scopezoo.models.recipe import Normalisation

CELL_UM = 1.0
KEPT_BYTES = 3 << 30
"""Of images that are kept in memory; those beyond are read as they are needed."""


@dataclass(frozen=True)
class Levels:
    """Grey levels that become 0 and 1."""

    low: float
    high: float

    @classmethod
    def of(cls, pixels: NDArray[Any], how: Normalisation) -> Levels:
        """The percentiles of a whole stack."""
        low, high = np.percentile(pixels, [how.low_percentile, how.high_percentile])
        return cls(float(low), float(high))

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """`scale_range` of the BioImage Model Zoo."""
        return np.asarray((pixels - self.low) / (self.high - self.low + 1e-6), dtype=np.float32)


def contrast(stack: NDArray[Any], voxel_um: tuple[float, float, float]) -> float:
    """Standard deviation of the means over cells of about 1 µm, where two microscopes agree."""
    from skimage.measure import block_reduce

    cell = tuple(
        min(size, max(1, round(CELL_UM / um)))
        for size, um in zip(stack.shape, voxel_um, strict=True)
    )
    whole = tuple(slice(0, n // px * px) for n, px in zip(stack.shape, cell, strict=True))
    return float(block_reduce(stack[whole], cell, np.mean).std())  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class PairField:
    """One field on the source's grid: raw source and resampled target, float32 ZYX.

    `seen` is where the target's microscope saw something, ZYX.
    """

    pair: str
    specimen: str
    source: NDArray[np.float32]
    target: NDArray[np.float32]
    seen: NDArray[np.bool_]


class KeptDataset(Dataset):
    """A dataset whose images stay in memory once they are opened, while there is room.

    A patch touches many chunks; reading them anew each time takes longer than learning from it.
    """

    def __init__(self, files: DatasetFiles, manifest: Manifest) -> None:
        super().__init__(files, manifest)
        self._kept: dict[str, Image] = {}
        self._room_bytes = KEPT_BYTES

    def image(self, entry: ImageEntry, level: int = 0) -> Image:
        key = f"{entry.path}:{level}"
        if key not in self._kept:
            image = super().image(entry, level)
            if image.nbytes > self._room_bytes:
                return image
            self._room_bytes -= image.nbytes
            self._kept[key] = replace(image, data=image.read())
        return self._kept[key]


def as_registered(dataset: Dataset) -> Manifest:
    """The manifest as it is."""
    return dataset.manifest


class PairSource:
    """The pairs of one part of a dataset, on the grid of their sources.

    `aligned` says how source and target lie to each other. Raises what `Dataset.open` and
    `Dataset.pairs_of` raise.
    """

    def __init__(
        self,
        data: Path,
        part: Part,
        normalisation: Normalisation,
        aligned: Callable[[Dataset], Manifest] = as_registered,
    ) -> None:
        found = Dataset.open(data)
        self.dataset = KeptDataset(found.files, aligned(found))
        self.part = part
        self.pairs = self.dataset.pairs_of(part)
        self.normalisation = normalisation

    @cached_property
    def levels(self) -> dict[str, tuple[Levels, Levels]]:
        """Of source and target, by pair; read once.

        Percentiles of the target would not do: how bright its sharpest structures are against its
        percentiles depends on what is in the field, so no network could predict it.
        """
        return {pair.id: self._levels(pair) for pair in self.pairs}

    def _levels(self, pair: Pair) -> tuple[Levels, Levels]:
        stacks = {side: self._whole(pair, side) for side in SIDES}
        source = Levels.of(stacks["source"], self.normalisation)
        ratio = contrast(stacks["source"], self.gridded(pair, "source").voxel_um) / contrast(
            stacks["target"], self.gridded(pair, "target").voxel_um
        )
        low = float(np.percentile(stacks["target"], self.normalisation.low_percentile))
        return source, Levels(low, low + (source.high - source.low) / ratio)

    def patches(self, size: tuple[int, int, int], seed: int, foreground: float) -> Patches:
        """Raw patches of `size` (z, y, x), the n-th by seed and n alone."""
        return Patches(self.dataset, self.part, size, seed, foreground=foreground)

    def normalised(self, patch: Patch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Source and target of a patch.

        0 and 1 are percentiles of the whole source. The target has its own 0, and the scale on
        which both stacks have one contrast.
        """
        source, target = self.levels[patch.pair]
        return source.apply(patch.source), target.apply(patch.target)

    def field(self, pair: Pair) -> PairField:
        """The whole of a pair."""
        source, target = self.gridded(pair, "source"), self.gridded(pair, "target")
        assert pair.source_to_target is not None  # of a registered pair
        where = index_map(pair.source_to_target, source, target, onto="source")
        depth, height, width = source.shape
        block = (slice(0, depth), slice(0, height), slice(0, width))
        return PairField(
            pair.id,
            pair.specimen,
            source.read(block),
            sampled_block(target, where, block),
            places_inside(source.shape, where.matrix, target.shape),
        )

    def gridded(self, pair: Pair, side: Side) -> GriddedImage:
        """One image of a pair as a grid of voxels."""
        entry = pair.image(side)
        return GriddedImage.of(self.dataset.image(entry), entry)

    def _whole(self, pair: Pair, side: Side) -> NDArray[np.float32]:
        image = self.gridded(pair, side)
        depth, height, width = image.shape
        return image.read((slice(0, depth), slice(0, height), slice(0, width)))


def places_inside(
    shape: tuple[int, ...], matrix: NDArray[np.float64], other: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which voxels of a grid lie between those of another, to whose indices `matrix` leads."""
    inside = np.ones(shape, dtype=np.bool_)
    index = np.ogrid[tuple(slice(0, size) for size in shape)]
    for row, size in zip(matrix[:3], other, strict=True):
        place = sum((row[i] * index[i] for i in range(3)), start=row[3])
        inside &= (place >= 0) & (place <= size - 1)
    return inside


def with_fields_centred(dataset: Dataset) -> Manifest:
    """The manifest as if the middles of both fields were one place, and nothing was turned."""

    def centred(pair: Pair) -> Pair:
        if pair.status != "registered":
            return pair
        matrix = np.eye(4)
        images = [GriddedImage.of(dataset.image(e), e) for e in (pair.source, pair.target)]
        middles = [(np.array(i.shape) - 1) / 2 * i.voxel_um for i in images]
        matrix[:3, 3] = middles[1] - middles[0]
        return pair.model_copy(update={"source_to_target": Transform(matrix=matrix.tolist())})

    return dataset.manifest.model_copy(update={"pairs": [centred(p) for p in dataset.pairs]})
