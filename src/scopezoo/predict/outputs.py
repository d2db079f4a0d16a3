"""What becomes of a network's output tiles: written at once, or kept until the whole is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scopezoo.formats.limits import writing
from scopezoo.formats.npy import make_npy, reopen_npy
from scopezoo.formats.raw_array import RawArray
from scopezoo.predict.chains import CUSTOM, part_chain
from scopezoo.predict.custom import load_custom
from scopezoo.predict.groups import axis_id
from scopezoo.predict.processing import Chain
from scopezoo.predict.sources import Region, Source, blocks_of
from scopezoo.predict.stardist import CandidateFolder, StardistParameters, find_candidates
from scopezoo.predict.statistics import Measure, compute_statistics
from scopezoo.store.package import Package
from scopezoo.store.tensors import Tensor

Statistics = Mapping[Measure, NDArray[Any]]
Finishing = Callable[[Source, Statistics, "Sink"], None]


class Sink(Protocol):
    """Takes blocks of a finished output tensor, anywhere in its whole."""

    def write(self, region: Region, block: NDArray[Any], whole_shape: Sequence[int]) -> None: ...


class OutputStage(Protocol):
    """Takes the exact core of each tile of one output of one sample, in any order.

    `statistics` are those of the sample's inputs; `finish` comes when all tiles are there.
    """

    def add(
        self,
        tile: int,
        region: Region,
        block: NDArray[Any],
        whole_shape: Sequence[int],
        statistics: Statistics,
    ) -> None: ...

    def finish(self, statistics: Statistics) -> None: ...


class DirectOutput:
    """Post-processing that needs nothing but the tile itself."""

    def __init__(self, chain: Chain, sink: Sink) -> None:
        self._chain = chain
        self._sink = sink

    def add(
        self,
        tile: int,  # noqa: ARG002 # of use to other stages
        region: Region,
        block: NDArray[Any],
        whole_shape: Sequence[int],
        statistics: Statistics,
    ) -> None:
        self._sink.write(region, self._chain.apply(block, statistics, region), whole_shape)

    def finish(self, statistics: Statistics) -> None:
        """Nothing is left to do."""


class WholeOutput:
    """Post-processing by statistics of the whole output, or by code that wants all of it.

    Raw tiles are kept in the file `scratch`, so that memory does not grow with the image. Raises
    FileError where its disk is full.
    """

    def __init__(self, finishing: Finishing, sink: Sink, scratch: Path, resumed: bool) -> None:
        self._finishing = finishing
        self._sink = sink
        self.scratch = scratch
        self._resumed = resumed
        self._kept: RawArray | None = None

    def add(
        self,
        tile: int,  # noqa: ARG002 # of use to other stages
        region: Region,
        block: NDArray[Any],
        whole_shape: Sequence[int],
        statistics: Statistics,  # noqa: ARG002 # come again with `finish`
    ) -> None:
        with writing(self.scratch):
            if self._kept is None and not self._resumed:
                self._kept = make_npy(self.scratch, tuple(whole_shape), block.dtype)
            elif self._kept is None:
                self._kept = reopen_npy(self.scratch)
            self._kept[region] = block

    def finish(self, statistics: Statistics) -> None:
        kept = reopen_npy(self.scratch) if self._kept is None else self._kept
        source = Source(kept.shape, kept.dtype, kept.__getitem__)
        self._finishing(source, statistics, self._sink)


class CandidateOutput:
    """Decoding of StarDist: a tile's candidates are kept until all samples are run."""

    def __init__(
        self, chain: Chain, parameters: StardistParameters, candidates: CandidateFolder
    ) -> None:
        self._chain = chain
        self._parameters = parameters
        self._candidates = candidates

    def add(
        self,
        tile: int,
        region: Region,
        block: NDArray[Any],
        whole_shape: Sequence[int],
        statistics: Statistics,
    ) -> None:
        space = slice(1, 1 + self._parameters.ndim)
        origin = [part.start for part in region[space]]
        processed = self._chain.apply(block, statistics, region)
        found = find_candidates(processed, origin, whole_shape[space], self._parameters)
        self._candidates.save(tile, found)

    def finish(self, statistics: Statistics) -> None:
        """Numbers are known when all samples are."""


def finish_chain(tensor: Tensor, chain: Chain) -> Finishing:
    """Applies a chain that needs more of the output than a tile, block by block.

    A block is whole along the axes whose pixels the chain mixes.
    """
    mixed = [i for i, axis in enumerate(tensor.axis_ids) if axis_id(axis) in chain.whole_axes]

    def finish(source: Source, statistics: Statistics, sink: Sink) -> None:
        known = _with_own(tensor, chain, source, statistics)
        for region, block in blocks_of(source, whole_axes=mixed):
            sink.write(region, chain.apply(block, known, region), source.shape)

    return finish


def finish_custom(package: Package, tensor: Tensor) -> Finishing:
    """Applies steps among which is the package's own code to the whole output at once."""
    parts: list[Chain | Callable[[NDArray[Any]], NDArray[Any]]] = []
    for step in tensor.steps:
        is_custom = step.get("id") == CUSTOM
        parts.append(
            load_custom(package, step)
            if is_custom
            else part_chain(package.description, tensor, [step])
        )

    def finish(source: Source, statistics: Statistics, sink: Sink) -> None:
        region = tuple(slice(0, size) for size in source.shape)
        block = source.read(region)
        for part in parts:
            if isinstance(part, Chain):
                known = _with_own(tensor, part, source, statistics)
                block = part.apply(block, known, region)
            else:
                block = np.asarray(part(block))
        sink.write(region, block, block.shape)

    return finish


def _with_own(
    tensor: Tensor, chain: Chain, source: Source, statistics: Statistics
) -> dict[Measure, NDArray[Any]]:
    own = [measure for measure in chain.measures if measure.tensor == tensor.id]
    found = compute_statistics(own, tensor.axis_ids, source.shape, lambda: blocks_of(source))
    return {**statistics, **found}
