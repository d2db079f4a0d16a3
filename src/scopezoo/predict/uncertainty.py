"""How much a result varies when the network sees its input mirrored and turned.

The spread is the standard deviation over the views of `scopezoo.predict.views`, pixel by pixel: a
pass of its own over the tiles, so that the result is what it is without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.image import Image
from scopezoo.predict.chains import (
    CUSTOM,
    DECODING,
    decoding_parameters,
    has_step,
    output_chain,
    part_chain,
)
from scopezoo.predict.destination import Destination
from scopezoo.predict.engine import Engine, TilePlan
from scopezoo.predict.groups import axis_id
from scopezoo.predict.outputs import Sink, Statistics
from scopezoo.predict.processing import Chain
from scopezoo.predict.record import tiles_record
from scopezoo.predict.sources import Region, Sample
from scopezoo.predict.stages import COMPLETE, written_tensor
from scopezoo.predict.stores import Store
from scopezoo.predict.views import View, views_of
from scopezoo.predict.work import WorkFolder
from scopezoo.store.tensors import FixedSize, Tensor

METHODS = ("tta",)
KEPT_BYTES = 40
"""Per value of the outputs: views on their way in and out, their mean, squares, and temporaries."""


class Uncertainty:
    """The spread of each output of one prediction: `samples` of an engine, alike in shape.

    Raises what `check_uncertainty` raises.
    """

    def __init__(
        self, engine: Engine, method: str, samples: Sequence[Sample], image: Image
    ) -> None:
        check_uncertainty(engine, method)
        self.method = method
        self._engine = engine
        self._samples = samples
        self.views: tuple[View, ...] = views_of(
            engine.description, engine.geometry, image.pixel_size_um
        )
        first = engine.description.inputs[0]
        exchanged = self.views[-1].exchanged
        self.plan: TilePlan = engine.plan(
            samples[0].sources[first.id].shape,
            alike=exchanged,
            more_bytes_per_px=KEPT_BYTES * sum(map(self._values_per_px, self.outputs)),
        )
        self._chains = {tensor.id: spread_chain(engine, tensor) for tensor in self.outputs}

    @property
    def outputs(self) -> Sequence[Tensor]:
        return self._engine.description.outputs

    @property
    def names(self) -> dict[str, str]:
        """The name of its spread by output id."""
        return {tensor.id: f"{tensor.id}.uncertainty" for tensor in self.outputs}

    @property
    def tiles(self) -> int:
        """Tiles of all samples."""
        return len(self.plan) * len(self._samples)

    def record(self) -> dict[str, Any]:
        """What was done, for the record of the result."""
        of = {
            tensor.id: "probability of objects" if has_step(tensor, DECODING) else "result"
            for tensor in self.outputs
        }
        return {
            "method": self.method,
            "measure": "standard deviation over views",
            "of": of,
            "views": [str(view) for view in self.views],
            "tiling": tiles_record(self._engine, self.plan),
        }

    def run(
        self,
        work: WorkFolder,
        image: Image,
        channels: Sequence[str],
        store: Store,
        on_tiles: Callable[[int], None],
    ) -> None:
        """Write all spreads into `store`, on the grid of `image`.

        In the work folder its samples count on from the prediction's. `on_tiles` is called with how
        many tiles have been done more.
        """
        places = {tensor.id: self._place(tensor, image, channels, store) for tensor in self.outputs}
        for number, sample in enumerate(self._samples, len(self._samples)):
            finished = work.finished(number)
            on_tiles(len(finished - {COMPLETE}))
            if COMPLETE not in finished:
                self._run_sample(number, sample, work, places, on_tiles)

    def _run_sample(
        self,
        number: int,
        sample: Sample,
        work: WorkFolder,
        places: Mapping[str, Destination],
        on_tiles: Callable[[int], None],
    ) -> None:
        def stored(tile: int) -> None:
            work.mark(number, tile)
            on_tiles(1)

        stages = {
            tensor.id: SpreadOutput(
                self._chains[tensor.id],
                self._sink(tensor, sample, places),
                len(self.views),
                of_objects=has_step(tensor, DECODING),
            )
            for tensor in self.outputs
        }
        finished = work.finished(number)
        self._engine.run(
            sample, self.plan, stages, views=self.views, finished=finished, on_tile=stored
        )
        work.mark(number, COMPLETE)

    def _place(
        self, tensor: Tensor, image: Image, channels: Sequence[str], store: Store
    ) -> Destination:
        written, name = written_tensor(tensor), self.names[tensor.id]
        is_decoded = written is not tensor
        follows = self._engine.geometry.outputs[tensor.id]
        return Destination(
            written,
            [None] * len(written.axes) if is_decoded else follows,
            image,
            () if is_decoded else channels,
            "image",
            partial(store.create, name),
            store.started(name),
        )

    def _sink(self, tensor: Tensor, sample: Sample, places: Mapping[str, Destination]) -> Sink:
        sink = places[tensor.id].at(sample.position)
        if not has_step(tensor, DECODING):
            return sink
        first = self._engine.description.inputs[0]
        sizes = self._engine.sizes(sample.sources[first.id].shape)
        return _Probability(sink, decoding_parameters(tensor).grid, sizes)

    def _values_per_px(self, tensor: Tensor) -> float:
        """Values of an output that are kept, per pixel of the first input."""
        values = 1.0
        for axis, f in zip(
            written_tensor(tensor).axes, self._engine.geometry.outputs[tensor.id], strict=False
        ):
            if f is not None:
                values *= float(f.scale)
            elif axis.type == "channel":
                size = axis.size.size if isinstance(axis.size, FixedSize) else 1
                values *= max(size, len(axis.channel_names))
        return values


def check_uncertainty(engine: Engine, method: str) -> None:
    """Raise UsageError for an unknown `method`, and for a model whose spread cannot be said tile
    by tile."""
    if method not in METHODS:
        raise UsageError(f"uncertainty is {method!r}; expected one of {', '.join(METHODS)}")
    views_of(engine.description, engine.geometry, {})
    for tensor in engine.description.outputs:
        spread_chain(engine, tensor)


def spread_chain(engine: Engine, tensor: Tensor) -> Chain:
    """The post-processing of a tile, up to the probability of objects. Raises UsageError where a
    tile does not suffice."""
    if has_step(tensor, CUSTOM):
        raise _no_spread(engine, tensor, "it is made by code of the package")
    names = [step.get("id") for step in tensor.steps]
    if DECODING in names:
        before = tensor.steps[: names.index(DECODING)]
        chain = part_chain(engine.description, tensor, before)
    else:
        chain = output_chain(engine.description, tensor)
    if any(measure.tensor == tensor.id for measure in chain.measures):
        raise _no_spread(engine, tensor, "it is processed by statistics of the whole output")
    follows = engine.geometry.outputs[tensor.id]
    tiled = [name for name, f in zip(tensor.axis_ids, follows, strict=True) if f is not None]
    if {axis_id(axis) for axis in tiled} & chain.whole_axes:
        raise _no_spread(engine, tensor, "its processing mixes pixels (softmax)")
    return chain


def _no_spread(engine: Engine, tensor: Tensor, why: str) -> UsageError:
    return UsageError(
        f"{engine.package.id}: no uncertainty of the output {tensor.id!r}, since {why}; "
        "run it without --uncertainty"
    )


class SpreadOutput:
    """The standard deviation of a tile over its views, which come one after the other.

    With `of_objects`, that of the first of a StarDist network's channels, the last axis, alone.
    Mean and squares are brought up to date with each view (Welford 1962, Technometrics 4:419), so
    that views which are equal have a spread of exactly zero.
    """

    def __init__(self, chain: Chain, sink: Sink, views: int, of_objects: bool) -> None:
        self._chain = chain
        self._sink = sink
        self._views = views
        self._of_objects = of_objects
        self._seen = 0
        self._mean: NDArray[Any] = np.empty(0)
        self._squares: NDArray[Any] = np.empty(0)

    def add(
        self,
        tile: int,  # noqa: ARG002 # of use to other stages
        region: Region,
        block: NDArray[Any],
        whole_shape: Sequence[int],
        statistics: Statistics,
    ) -> None:
        found = self._chain.apply(block, statistics, region)
        found = found[..., :1] if self._of_objects else found
        found = found.astype(np.result_type(found.dtype, np.float32), copy=False)
        if self._seen == 0:
            self._mean, self._squares = found.copy(), np.zeros_like(found)
        else:
            difference = found - self._mean
            self._mean += difference / (self._seen + 1)
            self._squares += difference * (found - self._mean)
        self._seen += 1
        if self._seen == self._views:
            np.divide(self._squares, self._views, out=self._squares)
            np.sqrt(self._squares, out=self._squares)
            self._sink.write(region, self._squares.astype(np.float32), whole_shape)
            self._seen = 0

    def finish(self, statistics: Statistics) -> None:
        """Nothing is left to do."""


class _Probability:
    """Takes what a StarDist network gives per cell, and writes the first channel, the probability
    of objects, for each pixel of an image of `sizes`."""

    def __init__(self, sink: Sink, grid: Sequence[int], sizes: Sequence[int]) -> None:
        self._sink = sink
        self._grid = grid
        self._sizes = sizes

    def write(self, region: Region, block: NDArray[Any], whole_shape: Sequence[int]) -> None:  # noqa: ARG002 # that of the cells
        space = region[1 : 1 + len(self._grid)]
        cells = block[..., 0]
        for axis, step in enumerate(self._grid, 1):
            cells = cells.repeat(step, axis)
        covered = tuple(
            slice(part.start * step, min(part.stop * step, size))
            for part, step, size in zip(space, self._grid, self._sizes, strict=True)
        )
        inside = tuple(slice(0, part.stop - part.start) for part in covered)
        self._sink.write((slice(0, 1), *covered), cells[(slice(None), *inside)], (1, *self._sizes))
