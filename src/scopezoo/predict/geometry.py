"""The sizes that a model accepts and gives, per axis of its first input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from scopezoo.errors import PackageError
from scopezoo.predict.chains import DECODING, decoding_parameters, has_step
from scopezoo.predict.tiles import AxisRule, Window
from scopezoo.store.description import Description
from scopezoo.store.tensors import Axis, FixedSize, ReferenceSize, SteppedSize, Tensor


@dataclass(frozen=True)
class Follows:
    """An output axis that follows an input axis: `size = input size * scale + offset`."""

    axis: str
    scale: Fraction
    offset: int = 0

    @property
    def trim(self) -> Fraction:
        """Input pixels that the network cuts off at each side; negative where it adds some."""
        return Fraction(-self.offset, 2) / self.scale

    def within(self, window: Window) -> slice:
        """Where the window's core lies in the network's output for that window."""
        start = (window.core_start - window.start - self.trim) * self.scale
        length = (window.core_stop - window.core_start) * self.scale
        return slice(math.floor(start), math.floor(start) + math.ceil(length))

    def within_whole(self, window: Window, trim: int) -> slice:
        """Where the window's core lies in the whole output."""
        start = (window.core_start - trim) * self.scale
        length = (window.core_stop - window.core_start) * self.scale
        return slice(math.floor(start), math.floor(start) + math.ceil(length))


@dataclass(frozen=True)
class Geometry:
    """How tiles of the first input become tiles of the outputs.

    `axes` are the tiled axes of the first input. `outputs` has, per output of the network and per
    its axes, what the axis follows; None for an axis of its own (batch, channel). `finished` has
    the same after post-processing, as it is described: a StarDist network gives cells of a grid,
    its decoding labels of pixels.
    """

    axes: tuple[Axis, ...]
    outputs: Mapping[str, tuple[Follows | None, ...]]
    finished: Mapping[str, tuple[Follows | None, ...]]

    @property
    def trim(self) -> int:
        """Pixels by which the image is reflected outwards, so that outputs cover all of it."""
        trims = [f.trim for output in self.outputs.values() for f in output if f is not None]
        # a whole number of steps, so that poolings fall on the image as they would without margin
        step = math.lcm(*(max(1, legal_sizes(axis)[1]) for axis in self.axes))
        return max(0, math.ceil(max(trims, default=Fraction(0)) / step) * step)

    def without_margins(
        self, output: str, sizes: Mapping[str, int], shape: Sequence[int]
    ) -> tuple[slice, ...]:
        """The part of a finished output of `shape` that needs no reflection at the image's borders.

        `sizes` are those of the first input by axis id.
        """
        region = []
        for follows, size in zip(self.finished[output], shape, strict=True):
            if follows is None:
                region.append(slice(0, size))
                continue
            start = max(0, math.ceil(-follows.offset / 2))
            given = int(sizes[follows.axis] * follows.scale) + follows.offset
            region.append(slice(start, min(size, start + given)))
        return tuple(region)

    def declared_halo(self, description: Description) -> dict[str, int]:
        """The halo that the package declares, in input pixels by axis."""
        halo = {axis.id: 0 for axis in self.axes}
        for output in description.outputs:
            for axis, follows in zip(output.axes, self.finished[output.id], strict=True):
                if follows is not None:
                    px = math.ceil(axis.halo / follows.scale)
                    halo[follows.axis] = max(halo[follows.axis], px)
        return halo

    def rules(self, strides: Mapping[str, int], halo: Mapping[str, int]) -> list[AxisRule]:
        """Tile rules by axis for a network with these strides and this halo, in input pixels."""
        return [self._rule(axis, strides.get(axis.id, 1), halo[axis.id]) for axis in self.axes]

    def grid(self, axis: Axis, stride: int) -> int:
        """Where tiles may start: multiples of the stride, of the legal step, and of what is one
        whole pixel of every output."""
        denominators = [
            f.scale.denominator
            for output in self.outputs.values()
            for f in output
            if f is not None and f.axis == axis.id
        ]
        return math.lcm(max(legal_sizes(axis)[1], 1), stride, *denominators)

    def _rule(self, axis: Axis, stride: int, halo: int) -> AxisRule:
        minimum, step = legal_sizes(axis)
        grid = self.grid(axis, stride)
        return AxisRule(minimum, step, grid, math.ceil(halo / grid) * grid, self.trim)

    def tileable(self, description: Description) -> bool:
        """Whether every output and further input follows the first input, pixel by pixel."""
        first = description.inputs[0]
        for output in description.outputs:
            followed = {f.axis for f in self.outputs[output.id] if f is not None}
            if followed != {axis.id for axis in self.axes}:
                return False
        return all(
            not tensor.space or {a.id for a in tensor.space} == {a.id for a in first.space}
            for tensor in description.inputs[1:]
        )


def geometry_of(description: Description) -> Geometry:
    """The geometry of a model. Raises PackageError for a model without an input of pixels."""
    first = description.inputs[0]
    axes = tuple(axis for axis in first.axes if axis.type not in ("batch", "channel"))
    if not first.space:
        raise PackageError(f"{description.name}: its first input {first.id!r} is no image")
    outputs, finished = {}, {}
    for output in description.outputs:
        described = tuple(_follows(description, first, axis) for axis in output.axes)
        cell_px = _cell_px(output)
        pairs = [
            _around_decoding(f, cell_px.get(axis.id, 1))
            for axis, f in zip(output.axes, described, strict=True)
        ]
        outputs[output.id] = tuple(raw for raw, _ in pairs)
        finished[output.id] = tuple(labels for _, labels in pairs)
    return Geometry(axes, outputs, finished)


def _cell_px(output: Tensor) -> dict[str, int]:
    """Pixels of a cell of a StarDist network's grid, by axis; none for other outputs."""
    if not has_step(output, DECODING):
        return {}
    return dict(
        zip((axis.id for axis in output.space), decoding_parameters(output).grid, strict=False)
    )


def _around_decoding(
    described: Follows | None, cell_px: int
) -> tuple[Follows | None, Follows | None]:
    """What an axis follows before and after decoding.

    Labels are described, as bioimageio.core gives them; but some describe the cells.
    """
    if described is None or cell_px == 1:
        return described, described
    if described.scale * cell_px == 1:
        return described, replace(described, scale=described.scale * cell_px)
    return replace(described, scale=described.scale / cell_px), described


def legal_sizes(axis: Axis) -> tuple[int, int]:
    """(minimum, step) of an axis' sizes; a step of 0 where there is but one size."""
    if isinstance(axis.size, FixedSize):
        return axis.size.size, 0
    if isinstance(axis.size, SteppedSize):
        return axis.size.minimum, axis.size.step
    return 1, 1


def _follows(description: Description, first: Tensor, axis: Axis) -> Follows | None:
    if axis.type in ("batch", "channel"):
        return None
    if isinstance(axis.size, ReferenceSize):
        return _through_reference(description, first, axis)
    if axis.id in first.axis_ids and isinstance(axis.size, FixedSize):
        source = first.axis(axis.id).size
        if isinstance(source, FixedSize):
            return _from_sizes(axis.id, source.size, axis.size.size)
    return None


def _through_reference(description: Description, first: Tensor, axis: Axis) -> Follows | None:
    tiled = {a.id for a in first.axes if a.type not in ("batch", "channel")}
    start, scale, offset = axis, Fraction(1), 0
    for _ in range(len(description.outputs) + len(description.inputs) + 1):
        assert isinstance(axis.size, ReferenceSize)
        tensor = description.tensor(axis.size.tensor)
        reference = tensor.axis(axis.size.axis)
        ratio = Fraction(reference.scale / axis.scale).limit_denominator(64)
        offset += round(axis.size.offset * scale)
        scale *= ratio
        if tensor.id == first.id or (
            tensor in description.inputs and reference.id in first.axis_ids
        ):
            if reference.id not in tiled:
                raise PackageError(
                    f"{description.name}: the size of output axis {start.id!r} refers to "
                    f"{tensor.id}.{reference.id}; expected one of {', '.join(sorted(tiled))}"
                )
            return Follows(reference.id, scale, offset) if scale else None
        if not isinstance(reference.size, ReferenceSize):
            return None
        axis = reference
    raise PackageError(f"{description.name}: sizes of outputs refer to each other in a circle")


def _from_sizes(axis_id: str, size_in: int, size_out: int) -> Follows:
    ratio = Fraction(size_out, size_in)
    if ratio.numerator == 1 or ratio.denominator == 1:
        return Follows(axis_id, ratio)
    return Follows(axis_id, Fraction(1), size_out - size_in)


def output_size(follows: Follows, size: int) -> int:
    """Size of an output axis for the whole image: offsets are made up for by reflection."""
    return math.ceil(size * follows.scale)


def tile_regions(
    follows: Sequence[Follows | None],
    windows: Mapping[str, Window],
    shape: Sequence[int],
    trim: int,
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """(region in the network's output for one tile, region in the whole output)."""
    inner = tuple(
        slice(0, size) if f is None else f.within(windows[f.axis])
        for f, size in zip(follows, shape, strict=True)
    )
    outer = tuple(
        slice(0, size) if f is None else f.within_whole(windows[f.axis], trim)
        for f, size in zip(follows, shape, strict=True)
    )
    return inner, outer
