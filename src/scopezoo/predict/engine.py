"""The one engine: every front end runs models through it.

A sample is read window by window, pre-processed with statistics of the whole sample, run, and
its tiles' cores are handed to the outputs. The result is that of the whole image at once.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import IncompatibleImageError, PackageError, UntrustedError, UsageError
from scopezoo.predict.chains import CUSTOM, DECODING, has_step, input_chain, part_chain
from scopezoo.predict.facts import NetworkFacts, network_facts
from scopezoo.predict.geometry import Geometry, geometry_of, legal_sizes, output_size, tile_regions
from scopezoo.predict.machine import memory_bytes
from scopezoo.predict.outputs import OutputStage, Statistics
from scopezoo.predict.runtimes import Runtime, lighter_weights, load_runtime, with_weights
from scopezoo.predict.sources import ReflectedWindow, Sample, array_source, blocks_of
from scopezoo.predict.statistics import Measure, compute_statistics
from scopezoo.predict.tiles import AxisPlan, AxisRule, Window, plan_tiles, tiles
from scopezoo.predict.training_images import TrainingImages, read_training_images
from scopezoo.predict.views import AS_IT_IS, View
from scopezoo.store.package import Package
from scopezoo.store.tensors import Tensor

DEFAULT_MEMORY_BYTES = 1_000_000_000
ALWAYS_WHOLE_PX = 512 * 512
"""A sample of at most this size runs as one tile, without a look at the network's graph."""
USED_SHARE = 0.9
"""Of the memory that a run may take, what tiles are planned for."""
CONSTANT_WINDOWS = 2
"""How many different empty windows are remembered with what the network made of them."""


@dataclass(frozen=True)
class TilePlan:
    """How a sample is tiled: windows per tiled axis, and the halo used, in input pixels."""

    axes: tuple[str, ...]
    plans: tuple[AxisPlan, ...]
    halo: Mapping[str, int]

    def __len__(self) -> int:
        return math.prod(len(plan.windows) for plan in self.plans)

    @property
    def tile_px(self) -> int:
        """Pixels of the first input in a window."""
        return math.prod(plan.width for plan in self.plans)

    def tiles(self) -> list[dict[str, Window]]:
        """Windows by axis id, of each tile in raster order."""
        return [dict(zip(self.axes, windows, strict=True)) for windows in tiles(self.plans)]


@dataclass(frozen=True)
class HaloChoice:
    """By axis, in input pixels: what the package declares, the network needs, and is used.

    `needed` is the smallest halo on the stride grid with an error of at most 1e-5 at random probes
    (None where none is small enough), `radius` the receptive radius of the graph (None: unbounded).
    """

    declared: Mapping[str, int]
    needed: Mapping[str, int | None]
    radius: Mapping[str, int | None]
    used: Mapping[str, int]


class Engine:
    """A package ready to run; open it once for many images.

    `tile` bounds the windows' width by axis id, in pixels; `memory_bytes` is what a run may take
    beyond the loaded model. Large images run through a rewritten network that computes less, unless
    `as_packaged`. Raises what `load_runtime` and `check_steps` raise.
    """

    def __init__(
        self,
        package: Package,
        *,
        runtime: str | None = None,
        device: str = "cpu",
        precision: str = "float32",
        trust: bool = False,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        tile: Mapping[str, int] | None = None,
        as_packaged: bool = False,
    ) -> None:
        check_steps(package, trust)
        self.package = package
        self.description = package.description
        self.geometry: Geometry = geometry_of(package.description)
        self.chains = {
            tensor.id: input_chain(self.description, tensor) for tensor in self.description.inputs
        }
        self.runtime: Runtime = load_runtime(
            package, runtime=runtime, device=device, precision=precision, trust=trust
        )
        self.memory_bytes = memory_bytes
        self.tile = tile or {}
        self.as_packaged = as_packaged
        self._light: list[Runtime] = []  # shared by copies with other tiles

    @cached_property
    def training_images(self) -> TrainingImages | None:
        """What the package says of the images that the model was trained on."""
        return read_training_images(self.package)

    @cached_property
    def facts(self) -> NetworkFacts:
        """What the network's graph says, and its measured halo."""
        return network_facts(self.package, self.geometry, self.runtime)

    def network(self, px: int, tiles: int = 1) -> Runtime:
        """What runs windows of `px` pixels of the first input: the package's own network for a
        small image, else one that computes less."""
        is_small = tiles == 1 and px <= ALWAYS_WHOLE_PX
        if is_small or self.as_packaged or not self.facts.lighter:
            return self.runtime
        if not self._light:
            content = lighter_weights(self.package, self.runtime)
            assert content is not None  # the facts know
            self._light.append(with_weights(self.package, self.runtime, content))
        return self._light[0]

    @cached_property
    def halo(self) -> HaloChoice:
        """The halo of this network, measured where it was not known yet."""
        declared = self.geometry.declared_halo(self.description)
        needed = self.facts.halo
        used = {axis: max(declared[axis], needed.get(axis) or 0) for axis in declared}
        return HaloChoice(declared, needed, self.facts.radius, used)

    def halo_warnings(self, plan: TilePlan) -> list[str]:
        """What a user of tiled results should know of the network's halo."""
        if len(plan) == 1:
            return []
        unbounded = [axis for axis, needed in self.halo.needed.items() if needed is None]
        if not unbounded:
            return []
        return [
            f"{self.package.id}: the network looks at the whole image along "
            f"{', '.join(unbounded)}, so that tiles change its result; give more --memory to run "
            "the image as one"
        ]

    def sizes(self, shape: Sequence[int]) -> list[int]:
        """Sizes of the tiled axes in a shape of the first input."""
        ids = self.description.inputs[0].axis_ids
        return [shape[ids.index(axis.id)] for axis in self.geometry.axes]

    def plan(
        self, shape: Sequence[int], *, alike: Collection[str] = (), more_bytes_per_px: float = 0
    ) -> TilePlan:
        """Tiles for a sample whose first input has `shape`.

        Axes that are `alike` get one grid and halo, so that views may exchange them.
        `more_bytes_per_px` is what a run keeps beside what the network takes.
        """
        sizes = self.sizes(shape)
        axes = tuple(axis.id for axis in self.geometry.axes)
        self._check_memory(math.prod(legal_sizes(axis)[0] for axis in self.geometry.axes), 4)
        whole = self._whole_plan(sizes)
        whole_px = math.prod(plan.width for plan in whole)
        if self._one_tile_will_do(sizes, whole, whole_px, more_bytes_per_px):
            self._check_memory(whole_px, self._bytes_per_px(whole_px))
            return TilePlan(axes, tuple(whole), dict.fromkeys(axes, 0))
        strides, halo = dict(self.facts.strides), dict(self.halo.used)
        if alike:
            strides |= dict.fromkeys(alike, math.lcm(*(strides.get(axis, 1) for axis in alike)))
            halo |= dict.fromkeys(alike, max(halo[axis] for axis in alike))
        rules = self.geometry.rules(strides, halo)
        bounds = [self.tile.get(axis) for axis in axes]
        plans = plan_tiles(sizes, rules, self._max_tile_px(more_bytes_per_px), bounds)
        tile_px = math.prod(plan.width for plan in plans)
        self._check_memory(tile_px, self._bytes_per_px(tile_px))
        return TilePlan(axes, tuple(plans), {a: r.halo for a, r in zip(axes, rules, strict=True)})

    def _whole_plan(self, sizes: Sequence[int]) -> list[AxisPlan]:
        trim = self.geometry.trim
        plans = []
        for axis, size in zip(self.geometry.axes, sizes, strict=True):
            minimum, step = legal_sizes(axis)
            width = AxisRule(minimum, step, max(1, step), 0, trim).whole(size)
            plans.append(AxisPlan(width, (Window(0, width, trim, trim + size),)))
        return plans

    def _one_tile_will_do(
        self, sizes: Sequence[int], whole: Sequence[AxisPlan], whole_px: int, more: float
    ) -> bool:
        if not self.geometry.tileable(self.description):
            return True
        for axis, size, plan in zip(self.geometry.axes, sizes, whole, strict=True):
            minimum, step = legal_sizes(axis)
            if step == 0 and size + 2 * self.geometry.trim > minimum:
                return False
            if plan.width > self.tile.get(axis.id, plan.width):
                return False
        return whole_px <= ALWAYS_WHOLE_PX or whole_px <= self._max_tile_px(more)

    def _bytes_per_px(self, tile_px: int) -> float:
        return self.facts.bytes_per_px if tile_px > ALWAYS_WHOLE_PX else 4

    def _check_memory(self, tile_px: int, bytes_per_px: float) -> None:
        """Refuse a tile that cannot fit this machine, before anything is allocated."""
        needed, available = tile_px * math.ceil(bytes_per_px), memory_bytes()
        if available is not None and needed > available:
            raise IncompatibleImageError(
                f"{self.package.id} needs about {needed // 10**9} GB for its smallest tile "
                f"of this image; this machine has {available / 1e9:.0f} GB"
            )

    def _max_tile_px(self, more_bytes_per_px: float) -> int:
        """Pixels of a tile that the memory allows for, less what pages and buffers take."""
        free_bytes = USED_SHARE * self.memory_bytes - self.facts.fixed_bytes
        return max(1, int(free_bytes / (self.facts.bytes_per_px + more_bytes_per_px)))

    def statistics(self, sample: Sample) -> dict[Measure, NDArray[Any]]:
        """All statistics of the sample's inputs that pre- and post-processing ask for."""
        wanted = {m for name in sample.sources for m in self.chains[name].measures}
        for output in self.description.outputs:
            wanted |= part_chain(self.description, output, known_steps(output)).measures
        found: dict[Measure, NDArray[Any]] = {}
        for tensor in self.description.inputs:
            own = [measure for measure in wanted if measure.tensor == tensor.id]
            if own and tensor.id not in sample.sources:
                raise UsageError(
                    f"{self.package.id} needs statistics of the input {tensor.id!r}; give it as "
                    f"{tensor.id}=FILE"
                )
            if own:
                source = sample.sources[tensor.id]
                found |= compute_statistics(
                    own, tensor.axis_ids, source.shape, partial(blocks_of, source)
                )
        return found

    def run(
        self,
        sample: Sample,
        plan: TilePlan,
        outputs: Mapping[str, OutputStage],
        *,
        views: Sequence[View] = (AS_IT_IS,),
        finished: Collection[int] = (),
        on_tile: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Run all tiles of a sample but the `finished` ones, and finish its outputs.

        The outputs get a tile once for each of `views`, one after the other and all in its own
        place. `on_tile` is called with a tile's number once all its outputs are stored.
        """
        run = _Run(self, sample, plan, outputs, self.statistics(sample), on_tile)
        wanted = [(i, tile) for i, tile in enumerate(plan.tiles()) if i not in finished]
        if len(wanted) == 1:
            number, tile = wanted[0]
            loaded = run.load(tile)
            for view in views:
                run.store(number, tile, run.call(loaded, view), view is views[-1])
        else:
            _overlapped(run, wanted, views)
        for output in outputs.values():
            output.finish(run.statistics)

    def predict_sample(
        self,
        inputs: Mapping[str, NDArray[Any]],
        on_tile: Callable[[int], None] = lambda _: None,
    ) -> dict[str, NDArray[Any]]:
        """Outputs by tensor id for one sample given as arrays, all in the tensors' own layout.

        Axes of space may have any size. What is decoded into labels has a channel axis of one.
        `on_tile` is called with a tile's number once its outputs are stored.
        """
        from scopezoo.predict.stages import ArrayPlace, Stages
        from scopezoo.predict.work import TemporaryWork

        sample = Sample({}, {name: array_source(array) for name, array in inputs.items()})
        plan = self.plan(inputs[self.description.inputs[0].id].shape)
        places = {tensor.id: ArrayPlace(tensor) for tensor in self.description.outputs}
        with TemporaryWork() as work:
            stages = Stages(self, plan, work, places)
            stages.run(0, sample, (), on_tile)
            stages.finish()
        return {name: place.array for name, place in places.items()}

    def without_margins(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """The parts of `predict_sample`'s outputs that need no reflected margin: what test tensors
        hold of a network whose convolutions are not padded. All of it for other networks.
        """
        first = self.description.inputs[0]
        sizes = dict(zip(first.axis_ids, inputs[first.id].shape, strict=True))
        return {
            name: array[self.geometry.without_margins(name, sizes, array.shape)]
            for name, array in outputs.items()
        }


class _Run:
    """One sample on its way through the network."""

    def __init__(
        self,
        engine: Engine,
        sample: Sample,
        plan: TilePlan,
        outputs: Mapping[str, OutputStage],
        statistics: Statistics,
        on_tile: Callable[[int], None],
    ) -> None:
        self.engine = engine
        self.sample = sample
        self.plan = plan
        self.outputs = outputs
        self.statistics = statistics
        self.on_tile = on_tile
        self.network = engine.network(plan.tile_px, len(plan))
        self._constant: OrderedDict[bytes, list[NDArray[Any]]] = OrderedDict()

    def load(self, tile: Mapping[str, Window]) -> tuple[list[NDArray[Any] | None], bytes | None]:
        """Pre-processed inputs of a tile, and a key if each channel has but one value."""
        inputs = [
            self._input(tensor, tile) if tensor.id in self.sample.sources else None
            for tensor in self.engine.description.inputs
        ]
        return inputs, _constant_key(inputs) if len(self.plan) > 1 else None

    def _input(self, tensor: Tensor, tile: Mapping[str, Window]) -> NDArray[Any]:
        source = self.sample.sources[tensor.id]
        trim = self.engine.geometry.trim
        bounds = [
            (tile[axis.id].start - trim, tile[axis.id].stop - trim)
            if axis.id in tile
            else (0, size)
            for axis, size in zip(tensor.axes, source.shape, strict=True)
        ]
        window = ReflectedWindow.of(bounds, source.shape)
        pixels = source.read(window.region)
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            raise IncompatibleImageError(
                f"input {tensor.id!r} has pixels that are NaN or infinite around "
                f"{_place(tensor, window.region)}; replace them, e.g. by 0, and run again"
            )
        chain = self.engine.chains[tensor.id]
        processed = window.pad(chain.apply(pixels, self.statistics, window.region))
        return np.asarray(processed, dtype=_network_dtype(processed))

    def call(
        self, loaded: tuple[list[NDArray[Any] | None], bytes | None], view: View
    ) -> list[NDArray[Any]]:
        """The network's raw outputs for a view of a tile, in the tile's own place."""
        inputs, key = loaded
        if view == AS_IT_IS:
            return self._outputs(inputs, key)
        tensors = self.engine.description.inputs
        seen = [
            None if array is None else np.ascontiguousarray(view.apply(array, tensor.axis_ids))
            for tensor, array in zip(tensors, inputs, strict=True)
        ]
        # a window of one value looks the same mirrored, but may have another shape exchanged
        raw = self._outputs(seen, key and key + str(view.exchanged).encode())
        return [
            view.undo(block, [None if f is None else f.axis for f in follows])
            for follows, block in zip(self.engine.geometry.outputs.values(), raw, strict=True)
        ]

    def _outputs(self, inputs: list[NDArray[Any] | None], key: bytes | None) -> list[NDArray[Any]]:
        """What the network gives; empty windows of one value run once."""
        if key is None:
            return self.network.run(inputs)
        if key not in self._constant:
            self._constant[key] = self.network.run(inputs)
            if len(self._constant) > CONSTANT_WINDOWS:
                self._constant.popitem(last=False)
        return self._constant[key]

    def store(
        self, number: int, tile: Mapping[str, Window], raw: list[NDArray[Any]], is_last: bool
    ) -> None:
        """Hand the tile's core, of its last view or another, to the outputs."""
        geometry = self.engine.geometry
        first = self.engine.description.inputs[0]
        sizes = dict(
            zip(
                (axis.id for axis in geometry.axes),
                self.engine.sizes(self.sample.sources[first.id].shape),
                strict=True,
            )
        )
        for tensor, block in zip(self.engine.description.outputs, raw, strict=True):
            follows = geometry.outputs[tensor.id]
            self._check_size(tensor, tile, block)
            inner, outer = tile_regions(follows, tile, block.shape, geometry.trim)
            whole = [
                size if f is None else output_size(f, sizes[f.axis])
                for f, size in zip(follows, block.shape, strict=True)
            ]
            self.outputs[tensor.id].add(number, outer, block[inner], whole, self.statistics)
        if is_last:
            self.on_tile(number)

    def _check_size(self, tensor: Tensor, tile: Mapping[str, Window], block: NDArray[Any]) -> None:
        follows = self.engine.geometry.outputs[tensor.id]
        if block.ndim != len(follows):
            raise PackageError(
                f"{self.engine.package.location}: output {tensor.id!r} has {block.ndim} axes; "
                f"the description says {', '.join(tensor.axis_ids)}"
            )
        for axis, f, found in zip(tensor.axes, follows, block.shape, strict=True):
            if f is None:
                continue
            width = tile[f.axis].stop - tile[f.axis].start
            if found != int(width * f.scale) + f.offset:
                raise PackageError(
                    f"{self.engine.package.location}: output {tensor.id!r} has {found} px along "
                    f"{axis.id} for {width} px in; the description says "
                    f"{int(width * f.scale) + f.offset}"
                )


def _overlapped(
    run: _Run, wanted: Sequence[tuple[int, Mapping[str, Window]]], views: Sequence[View]
) -> None:
    """Read the next tile and write the last one while the network works on this one."""
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        ahead = reader.submit(run.load, wanted[0][1]) if wanted else None
        for place, (number, tile) in enumerate(wanted):
            assert ahead is not None
            loaded = ahead.result()
            if place + 1 < len(wanted):
                ahead = reader.submit(run.load, wanted[place + 1][1])
            for view in views:
                raw = run.call(loaded, view)
                if written is not None:
                    written.result()
                written = writer.submit(run.store, number, tile, raw, view is views[-1])
        if written is not None:
            written.result()


def check_steps(package: Package, trust: bool) -> None:
    """Refuse what this engine cannot or may not do, before anything is read.

    Raises PackageError for cellpose_flow_dynamics and for statistics of other outputs,
    UntrustedError for `custom` without trust.
    """
    for tensor in (*package.description.inputs, *package.description.outputs):
        if any(step.get("id") == "cellpose_flow_dynamics" for step in tensor.steps):
            raise PackageError(
                f"{package.id}: output {tensor.id!r} needs cellpose_flow_dynamics, which scopezoo "
                "does not have; run this model with bioimageio.core and its cellpose extra"
            )
        if has_step(tensor, CUSTOM) and not trust:
            raise UntrustedError(
                f"{package.location}: {tensor.id!r} is processed by code of the package itself; "
                "say --trust if you know who made it"
            )
        _check_measures(package, tensor)


def _check_measures(package: Package, tensor: Tensor) -> None:
    """Refuse statistics of an output that are not known when the tensor's steps run."""
    outputs = {output.id for output in package.description.outputs}
    if not has_step(tensor, DECODING):
        outputs.discard(tensor.id)  # its own wait until it is whole
    measures = part_chain(package.description, tensor, known_steps(tensor)).measures
    wanted = sorted(outputs & {measure.tensor for measure in measures})
    if wanted:
        raise PackageError(
            f"{package.id}: steps of {tensor.id!r} need statistics of the output {wanted[0]!r}; "
            "expected those of inputs"
        )


def known_steps(tensor: Tensor) -> list[Mapping[str, Any]]:
    """The tensor's steps that a Chain applies: all but decoding and the package's own code."""
    return [s for s in tensor.steps if s.get("id") not in (CUSTOM, DECODING)]


def _constant_key(inputs: Sequence[NDArray[Any] | None]) -> bytes | None:
    """Tells windows apart that have one value per index of their second axis, the channel."""
    key = b""
    for array in inputs:
        if array is None:
            continue
        first = array[(slice(0, 1), slice(None), *(slice(0, 1),) * (array.ndim - 2))]
        if not np.array_equal(array, np.broadcast_to(first, array.shape)):
            return None
        key += first.tobytes()
    return key


def _place(tensor: Tensor, region: Sequence[slice]) -> str:
    """A region in words: y 0 to 512, x 0 to 512."""
    return ", ".join(
        f"{axis.id} {part.start} to {part.stop}"
        for axis, part in zip(tensor.axes, region, strict=True)
        if axis.type == "space"
    )


def _network_dtype(array: NDArray[Any]) -> np.dtype[Any]:
    """float32 for other floats, as networks take; whole numbers as they are."""
    return np.dtype(np.float32) if array.dtype.kind == "f" else array.dtype
