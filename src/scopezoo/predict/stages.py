"""Brings the outputs of all samples of one prediction to their destinations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.image import Image
from scopezoo.predict.chains import (
    CUSTOM,
    DECODING,
    decoding_parameters,
    has_step,
    output_chain,
    part_chain,
)
from scopezoo.predict.destination import Destination, Kind
from scopezoo.predict.engine import Engine, TilePlan
from scopezoo.predict.groups import axis_id
from scopezoo.predict.outputs import (
    CandidateOutput,
    DirectOutput,
    Finishing,
    OutputStage,
    Sink,
    WholeOutput,
    finish_chain,
    finish_custom,
)
from scopezoo.predict.processing import Chain
from scopezoo.predict.sources import Region, Sample
from scopezoo.predict.stardist import CandidateFolder, StardistParameters
from scopezoo.predict.stores import Store
from scopezoo.predict.work import WorkFolder
from scopezoo.store.tensors import Tensor

LABEL_BLOCK_PX = {2: 2048, 3: 128}
COMPLETE = -1
"""Marks a sample in the list of finished tiles whose outputs are finished as well."""


class OutputPlace(Protocol):
    """Where one output goes: a sink for each sample."""

    def at(self, position: Mapping[str, int]) -> Sink: ...


class Stages:
    """The output stages of a prediction, sample after sample, to `places` by output id.

    Raw outputs and candidates that must wait for the whole lie in the work folder. Labels are
    written without the channel axis of their tensor, see `written_tensor`, and drawn on a grid of
    `label_sizes` pixels, by default that of the network's input.

    Raises PackageError where tiles cut an axis whose pixels are mixed (softmax) before the whole is
    known: by pre-processing, or before decoding.
    """

    def __init__(
        self,
        engine: Engine,
        plan: TilePlan,
        work: WorkFolder,
        places: Mapping[str, OutputPlace],
        label_sizes: Sequence[int] | None = None,
    ) -> None:
        self._engine = engine
        self._plan = plan
        self._work = work
        self._places = places
        self._label_sizes = label_sizes
        self._samples: list[tuple[int, Sample]] = []
        self._decoded = {
            tensor.id: decoding_parameters(tensor)
            for tensor in engine.description.outputs
            if has_step(tensor, DECODING)
        }
        self._check_mixed_axes()

    def _check_mixed_axes(self) -> None:
        description = self._engine.description
        early: list[tuple[Tensor, Chain, Sequence[str | None]]] = [
            (tensor, self._engine.chains[tensor.id], tensor.axis_ids)
            for tensor in description.inputs
        ]
        early += [
            (tensor, self._before_decoding(tensor), self._followed(tensor))
            for tensor in description.outputs
            if tensor.id in self._decoded
        ]
        for tensor, chain, followed in early:
            mixed = self._mixed_by_tiles(tensor, chain, followed)
            if mixed:
                raise PackageError(
                    f"{self._engine.package.id}: softmax of {tensor.id!r} mixes pixels along "
                    f"{', '.join(mixed)}, which {len(self._plan)} tiles would cut; give more "
                    "--memory or a larger --tile to run the image as one"
                )

    def _followed(self, tensor: Tensor) -> list[str | None]:
        """The input axis that each axis of an output follows."""
        return [None if f is None else f.axis for f in self._engine.geometry.outputs[tensor.id]]

    def _mixed_by_tiles(
        self, tensor: Tensor, chain: Chain, followed: Sequence[str | None]
    ) -> list[str]:
        """Axes along which the chain needs whole blocks, and tiles are cut."""
        windows = zip(self._plan.axes, self._plan.plans, strict=True)
        cut = {axis for axis, plan in windows if len(plan.windows) > 1}
        return [
            axis
            for axis, source in zip(tensor.axis_ids, followed, strict=True)
            if axis_id(axis) in chain.whole_axes and source in cut
        ]

    def _before_decoding(self, tensor: Tensor) -> Chain:
        before = tensor.steps[: [s.get("id") for s in tensor.steps].index(DECODING)]
        return part_chain(self._engine.description, tensor, before)

    def run(
        self,
        number: int,
        sample: Sample,
        finished: Collection[int],
        on_tile: Callable[[int], None],
    ) -> None:
        """Run a sample's tiles but the `finished` ones; none if the sample is complete."""
        self._samples.append((number, sample))
        if COMPLETE in finished:
            return

        def stored(tile: int) -> None:
            self._work.mark(number, tile)
            on_tile(tile)

        stages = {
            tensor.id: self._stage(tensor, number, sample, bool(finished))
            for tensor in self._engine.description.outputs
        }
        self._engine.run(sample, self._plan, stages, finished=finished, on_tile=stored)
        self._work.mark(number, COMPLETE)
        for stage in stages.values():
            if isinstance(stage, WholeOutput):
                stage.scratch.unlink(missing_ok=True)

    def _stage(self, tensor: Tensor, number: int, sample: Sample, resumed: bool) -> OutputStage:
        description = self._engine.description
        sink = self._places[tensor.id].at(sample.position)
        if tensor.id in self._decoded:
            return CandidateOutput(
                self._before_decoding(tensor),
                self._decoded[tensor.id],
                self._candidates(tensor, number),
            )
        finishing = self._finishing(tensor)
        if finishing is None:
            return DirectOutput(output_chain(description, tensor), sink)
        scratch = self._work.path(f"{tensor.id}.{number}.raw.npy")
        return WholeOutput(finishing, sink, scratch, resumed)

    def _finishing(self, tensor: Tensor) -> Finishing | None:
        """What the whole output is needed for, if anything."""
        if has_step(tensor, CUSTOM):
            return finish_custom(self._engine.package, tensor)
        chain = output_chain(self._engine.description, tensor)
        own = any(measure.tensor == tensor.id for measure in chain.measures)
        if own or self._mixed_by_tiles(tensor, chain, self._followed(tensor)):
            return finish_chain(tensor, chain)
        return None

    def _candidates(self, tensor: Tensor, number: int) -> CandidateFolder:
        folder = self._work.path(f"{tensor.id}.{number}.candidates")
        folder.mkdir(exist_ok=True)
        return CandidateFolder(folder, len(self._plan))

    def finish(self) -> None:
        """Decode what had to wait: label numbers go on from sample to sample."""
        for tensor in self._engine.description.outputs:
            if tensor.id in self._decoded:
                self._decode(tensor, self._decoded[tensor.id])

    def _decode(self, tensor: Tensor, parameters: StardistParameters) -> None:
        from scopezoo.predict.stardist_nms import select_objects

        first = self._engine.description.inputs[0]
        found = []
        for number, sample in self._samples:
            seen = self._engine.sizes(sample.sources[first.id].shape)
            sizes = list(self._label_sizes or seen)
            objects = select_objects(self._candidates(tensor, number), parameters)
            if sizes != seen:
                objects = objects.scaled([s / n for s, n in zip(sizes, seen, strict=True)])
            found.append((sample, sizes, objects.visible(sizes)))
        total = sum(len(objects) for _, _, objects in found)
        dtype = np.dtype(np.uint16 if total <= 65535 else np.uint32)
        before = 0
        for sample, sizes, objects in found:
            sink = self._places[tensor.id].at(sample.position)
            for region in label_blocks(sizes, LABEL_BLOCK_PX[parameters.ndim]):
                labels = objects.render(region).astype(dtype)
                labels[labels > 0] += dtype.type(before)
                sink.write((slice(0, 1), *region), labels[None], (1, *sizes))
            before += len(objects)


def output_kind(tensor: Tensor) -> Kind:
    """ "labels" for an output that is decoded into objects, else "image"."""
    return "labels" if has_step(tensor, DECODING) else "image"


def written_tensor(tensor: Tensor) -> Tensor:
    """The tensor as it is written: without the channel axis if it is decoded into labels."""
    if not has_step(tensor, DECODING):
        return tensor
    return replace(tensor, axes=tuple(axis for axis in tensor.axes if axis.type != "channel"))


def image_places(
    engine: Engine,
    image: Image,
    channels: Sequence[str],
    store: Store,
    labels_on: tuple[Image, Store] | None = None,
) -> dict[str, Destination]:
    """An image of `store` for each output, on the grid of `image`.

    `channels` are the names of the channels that the model sees. Labels go to the grid and store
    `labels_on` where that is given.
    """
    places = {}
    for tensor in engine.description.outputs:
        written = written_tensor(tensor)
        is_labels = written is not tensor
        follows = [None] * len(written.axes) if is_labels else engine.geometry.outputs[tensor.id]
        grid, own = labels_on if is_labels and labels_on else (image, store)
        places[tensor.id] = Destination(
            written,
            follows,
            grid,
            () if is_labels else channels,
            output_kind(tensor),
            partial(own.create, tensor.id),
            own.started(tensor.id),
        )
    return places


class ArrayPlace:
    """An output of one sample as an array in the layout of its tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._array: NDArray[Any] | None = None

    def at(self, position: Mapping[str, int]) -> Sink:  # noqa: ARG002 # there is one sample
        return self

    def write(self, region: Region, block: NDArray[Any], whole_shape: Sequence[int]) -> None:
        if self._array is None:
            self._array = np.zeros(whole_shape, block.dtype)
        self._array[region] = block

    @property
    def array(self) -> NDArray[Any]:
        """What was written; labels with a channel axis of one, as the tensor has it."""
        assert self._array is not None, "every tile writes every output"
        if written_tensor(self._tensor) is self._tensor:
            return self._array
        channel = next(i for i, axis in enumerate(self._tensor.axes) if axis.type == "channel")
        return np.expand_dims(self._array, channel)


def label_blocks(sizes: Sequence[int], block_px: int) -> list[tuple[slice, ...]]:
    """Regions that cover an image of `sizes` once, in raster order."""
    starts = [range(0, size, block_px) for size in sizes]
    return [
        tuple(slice(at, min(at + block_px, size)) for at, size in zip(corner, sizes, strict=True))
        for corner in product(*starts)
    ]
